import {
	chmod,
	lstat,
	mkdtemp,
	readdir,
	readFile,
	rm,
	stat,
	symlink,
	utimes,
	writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Edit } from "./edits.ts";
import { change, isChanged, putBack } from "./kept.ts";

let folder: string;
const at = (name: string) => join(folder, name);
const edit = (name: string): Edit => ({
	path: at(name),
	apply: (text) => `${text ?? ""}ours\n`,
	retract: (text) => text.replace("ours\n", ""),
});

beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "bulkhead-kept-"));
});
afterEach(async () => {
	await rm(folder, { recursive: true, force: true });
});

test("a file comes back with its bytes, mode and times, whatever its encoding", async () => {
	const content = Buffer.from([0x23, 0xfc, 0xff, 0x0a]);
	await writeFile(at("etc"), content);
	await chmod(at("etc"), 0o604);
	await utimes(at("etc"), 1_000_000, 2_000_000);
	const edits = [edit("etc")];
	await change(at("logins.json"), edits);
	expect(await readFile(at("etc"))).toEqual(Buffer.concat([content, Buffer.from("ours\n")]));
	expect(await isChanged(at("logins.json"))).toBe(true);
	expect(await putBack(at("logins.json"), edits)).toEqual([]);
	expect(await readFile(at("etc"))).toEqual(content);
	const { mode, mtimeMs } = await stat(at("etc"));
	expect([mode & 0o7777, mtimeMs]).toEqual([0o604, 2_000_000_000]);
	expect(await readdir(folder)).toEqual(["etc"]);
	expect(await putBack(at("logins.json"), edits)).toEqual([]);
});

test.skipIf(process.getuid?.() !== 0)(
	"one that was not there goes again, and not what others wrote into it",
	async () => {
		await change(at("logins.json"), [edit("fresh")]);
		await putBack(at("logins.json"), [edit("fresh")]);
		expect(await readdir(folder)).toEqual([]);
		await change(at("logins.json"), [edit("fresh")]);
		await writeFile(at("fresh"), "ours\ntheirs\n");
		expect(await putBack(at("logins.json"), [edit("fresh")])).toEqual([at("fresh")]);
		expect(await readFile(at("fresh"), "utf8")).toBe("theirs\n");
	},
);

test("from one that somebody else has changed since only our lines go, and no byte of theirs is another", async () => {
	await writeFile(at("etc"), "a\n");
	await change(at("logins.json"), [edit("etc")]);
	await writeFile(at("etc"), Buffer.from([0xfc, 0x0a, ...Buffer.from("ours\nb\n")]));
	expect(await putBack(at("logins.json"), [edit("etc")])).toEqual([at("etc")]);
	expect(await readFile(at("etc"))).toEqual(Buffer.from([0xfc, 0x0a, 0x62, 0x0a]));
});

test("what was interrupted at any moment is put back", async () => {
	await writeFile(at("one"), "1\n");
	await writeFile(at("two"), "2\n");
	const edits = [edit("one"), edit("two")];
	await change(at("logins.json"), edits);
	// The second was not changed yet, or is put back already; half of it was written.
	await writeFile(at("two"), "2\n");
	await writeFile(at("two.bulkhead.tmp"), "2\no");
	expect(await putBack(at("logins.json"), edits)).toEqual([]);
	expect(await readFile(at("one"), "utf8")).toBe("1\n");
	expect(await readdir(folder)).toEqual(["one", "two"]);
});

test("a file that an earlier version did not change is left as it is", async () => {
	for (const name of ["one", "two"]) await writeFile(at(name), `${name}\n`);
	await change(at("logins.json"), [edit("one")]);
	await writeFile(at("two"), "two, since\n");
	expect(await putBack(at("logins.json"), [edit("one"), edit("two")])).toEqual([]);
	expect(await readFile(at("one"), "utf8")).toBe("one\n");
	expect(await readFile(at("two"), "utf8")).toBe("two, since\n");
});

test("a link stays one, and one that leads nowhere is refused before anything has changed", async () => {
	await writeFile(at("real"), "r\n");
	await symlink(at("real"), at("link"));
	await change(at("logins.json"), [edit("link")]);
	expect((await lstat(at("link"))).isSymbolicLink()).toBe(true);
	await putBack(at("logins.json"), [edit("link")]);
	expect(await readFile(at("real"), "utf8")).toBe("r\n");
	await symlink(at("nowhere"), at("dangling"));
	await expect(change(at("logins.json"), [edit("real"), edit("dangling")])).rejects.toThrow(
		`${at("dangling")} is a link that leads nowhere`,
	);
	expect(await readFile(at("real"), "utf8")).toBe("r\n");
	expect(await isChanged(at("logins.json"))).toBe(false);
});

test("when it cannot be read what files were before, a person is told what to do, and it is kept", async () => {
	await writeFile(at("logins.json"), "[{");
	await expect(putBack(at("logins.json"), [])).rejects.toThrow(
		/logins\.json .*put it right, or take the lines/,
	);
	expect(await isChanged(at("logins.json"))).toBe(true);
});
