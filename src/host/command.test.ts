import { expect, test } from "vitest";
import { CommandError, run } from "./command.ts";
import { identify } from "./process.ts";

const sh = async (script: string, options: Partial<Parameters<typeof run>[2]> = {}) =>
	await run("sh", ["-c", script], { deadlineMs: 20_000, ...options });
const failure = async (work: Promise<unknown>) => {
	const error = await work.then(
		() => undefined,
		(error: unknown) => error,
	);
	if (error instanceof CommandError) return error;
	throw new Error("it did not fail as a command fails", { cause: error });
};

test("gives what was written", async () => {
	expect(await sh("echo out; echo err >&2")).toEqual({ stdout: "out\n", stderr: "err\n" });
});

test("passes input, environment and folder", async () => {
	const { stdout } = await sh("cat; echo $COLOUR; pwd; command -v sh > /dev/null && echo path", {
		input: "in\n",
		env: { COLOUR: "red" },
		cwd: "/usr",
	});
	expect(stdout).toBe("in\nred\n/usr\npath\n");
});

test("a command that does not read its input is no failure", async () => {
	await expect(sh("true", { input: "x".repeat(1_000_000) })).resolves.toBeDefined();
});

test("whole lines come as they are written", async () => {
	const lines: string[] = [];
	await sh("printf 'a\\nb'; printf 'c\\nd\\n'", { onLine: (line) => lines.push(line) });
	expect(lines).toEqual(["a", "bc", "d"]);
});

test("a line that is too long is left out, however much comes without an end, and those around it are heard", async () => {
	const lines: string[] = [];
	// 32 MiB.
	const endless = "dd if=/dev/zero bs=4096 count=8192 2>/dev/null";
	const longest = "head -c 65536 /dev/zero | tr '\\0' y";
	await sh(`echo before; ${endless}; echo; ${longest}; echo; echo after`, {
		onLine: (line) => lines.push(line),
	});
	expect(lines.map(({ length }) => length)).toEqual([6, 65_536, 5]);
});

test("a code other than 0 is a failure with the last words", async () => {
	const error = await failure(sh("echo why >&2; exit 3"));
	expect(error).toMatchObject({ code: 3, stderr: "why\n" });
	expect(error.message).toBe("sh -c echo why >&2; exit 3: ended with code 3: why");
});

test("a command that is not there is a failure", async () => {
	const error = await failure(run("/nonexistent/command", [], { deadlineMs: 1000 }));
	expect(error.message).toBe("/nonexistent/command: could not be started");
	expect(error.cause).toMatchObject({ code: "ENOENT" });
});

test("at the deadline everything in its process group is killed", async () => {
	const inner: number[] = [];
	const error = await failure(
		sh("sleep 1000 & echo $!; wait", { deadlineMs: 300, onLine: (line) => inner.push(Number(line)) }),
	);
	expect(error.message).toMatch(/did not finish within 300 ms/);
	expect(inner[0]).toBeGreaterThan(0);
	while (identify(inner[0] ?? 0)) await new Promise(setImmediate);
});

test("a deadline that is weeks away, as that of a copy of 60 TiB, is none yet", async () => {
	expect(await sh("sleep 0.2; echo done", { deadlineMs: 2 ** 31 })).toEqual({ stdout: "done\n", stderr: "" });
});

test("is killed when it is cancelled, and not begun when it was before", async () => {
	const caller = new AbortController();
	const error = await failure(
		sh("echo; exec sleep 1000", { signal: caller.signal, onLine: () => caller.abort() }),
	);
	expect(error.message).toMatch(/was cancelled/);
	await expect(sh("true", { signal: caller.signal })).rejects.toThrow(/abort/i);
});

test("output that is too much to be kept is a failure, and not a part of it; heard line by line it is not kept", async () => {
	const error = await failure(sh("head -c 40000000 /dev/zero"));
	expect(error.message).toBe("sh -c head -c 40000000 /dev/zero: wrote more than can be kept (16 MiB)");
	let heard = 0;
	const onLine = () => heard++;
	const { stdout } = await sh("yes 0123456789 | head -c 22000000", { onLine });
	expect([heard, stdout.length < 20_000_000]).toEqual([2_000_000, true]);
});

test("what does not end even when killed is not waited for", async () => {
	const began = performance.now();
	// Out of the group that is killed, and with the output still open: as one that hangs with its disk.
	const error = await failure(sh("setsid sleep 8 & sleep 8", { deadlineMs: 200 }));
	expect(error.message).toMatch(/did not finish within 200 ms, and does not end even when killed$/);
	expect(performance.now() - began).toBeLessThan(6000);
});
