import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";

test("what was inherited is closed, and nothing else", () => {
	const script = `
		import { closeInherited } from ${JSON.stringify(new URL("./descriptors.ts", import.meta.url).href)};
		import { readdirSync, readlinkSync } from "node:fs";
		const inherited = () => readdirSync("/proc/self/fd").filter((fd) => { try { return readlinkSync("/proc/self/fd/" + fd) === "/dev/zero"; } catch { return false; } }).length;
		const before = inherited();
		closeInherited();
		console.log(before, inherited());
	`;
	const command = `exec 200</dev/zero; exec "$0" --input-type=module -e "$1"`;
	const { stdout, stderr } = spawnSync("bash", ["-c", command, process.execPath, script], {
		encoding: "utf8",
	});
	expect(stderr).toBe("");
	expect(stdout.trim()).toBe("1 0");
});
