import { afterEach, expect, test } from "vitest";
import { CommandError } from "./command.ts";
import { OpenShell } from "./shell.ts";

const shell = new OpenShell(["sh"]);
afterEach(async () => await shell.close());
const pidOf = async () => await shell.run("sh", ["-c", "echo $PPID"], 5000);

test("gives what was written, with or without an end of line", async () => {
	expect(await shell.run("printf", ["a\\nb"], 5000)).toBe("a\nb");
	expect(await shell.run("echo", ["a", "", "b"], 5000)).toBe("a  b");
	expect(await shell.run("true", [], 5000)).toBe("");
});

test("words stay words, whatever is in them", async () => {
	const words = ["it's", "$HOME", "`id`", "a\nb", "; exit 3", "*"];
	expect(await shell.run("printf", ["<%s>", ...words], 5000)).toBe(words.map((word) => `<${word}>`).join(""));
});

test("a command that fails says why, and the shell goes on", async () => {
	const pid = await pidOf();
	const failing = shell.run("sh", ["-c", "echo no such thing >&2; exit 3"], 5000);
	await expect(failing).rejects.toThrow("ended with code 3: no such thing");
	await expect(shell.run("surely-no-command", [], 5000)).rejects.toBeInstanceOf(CommandError);
	expect(await pidOf()).toBe(pid);
});

test("commands sent at once get their own answers", async () => {
	const numbers = Array.from({ length: 20 }, (_, i) => `${i}`);
	expect(await Promise.all(numbers.map((n) => shell.run("echo", [n], 5000)))).toEqual(numbers);
});

test("at the deadline what runs is ended, those behind it are told, and the next has a new shell", async () => {
	const late = shell.run("sleep", ["1000"], 300);
	const behind = shell.run("echo", ["never"], 5000);
	const told = Promise.allSettled([late, behind]);
	const reasons = (await told).map((each) => (each.status === "rejected" ? String(each.reason) : each.value));
	expect(reasons[0]).toContain("sleep 1000: did not finish within 300 ms");
	expect(reasons[1]).toContain("echo never: did not finish within 300 ms");
	expect(await shell.run("echo", ["again"], 5000)).toBe("again");
});

test("a shell that was killed is replaced", async () => {
	process.kill(Number(await pidOf()), "SIGKILL");
	await expect.poll(async () => await shell.run("echo", ["there"], 5000).catch(String)).toBe("there");
});

test("what reads its input gets none, and not the commands behind it", async () => {
	expect(await Promise.all([shell.run("cat", [], 5000), shell.run("echo", ["next"], 5000)])).toEqual([
		"",
		"next",
	]);
});

test("one that cannot be started says so", async () => {
	const none = new OpenShell(["/surely/no/shell"]);
	await expect(none.run("true", [], 5000)).rejects.toThrow("could not be started");
});
