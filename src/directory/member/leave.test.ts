import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readMember } from "./join.ts";
import { beginLeaving, finishLeaving, ownController, readLeaving, removeLeft } from "./leave.ts";
import type { Member } from "./plan.ts";

const member: Member = {
	...{ realm: "AD.EXAMPLE.COM", workgroup: "AD", name: "HOST1", controllers: ["10.77.0.10"] },
	...{ joinedAt: 0, logins: false, allowed: null, admins: null, dns: null },
};
const { signal } = new AbortController();
let state = "";
let folder = "";

beforeEach(async () => {
	state = await mkdtemp(join(tmpdir(), "bulkhead-leave-"));
	folder = join(state, "domain");
	await mkdir(join(folder, "private"), { recursive: true });
	await writeFile(join(folder, "member.json"), JSON.stringify(member));
});
afterEach(async () => await rm(state, { recursive: true, force: true }));

test("from when the host may go on it is known to leave, until nothing is left", async () => {
	const said: string[] = [];
	const farewell = async () => {
		said.push(`farewell, ${(await readLeaving(folder)) === undefined ? "a member" : "leaving"}`);
	};
	const leaving = await beginLeaving(folder, member, null, signal, farewell);
	expect(said).toEqual(["farewell, a member"]);
	expect(leaving).toMatchObject({ realm: "AD.EXAMPLE.COM", name: "HOST1" });
	expect(leaving.left).toContain("the account HOST1 is left in AD.EXAMPLE.COM");
	// As the next daemon finds it.
	expect(await readLeaving(folder)).toEqual(leaving);
	const stuck = async () => {
		throw new Error("it does not end");
	};
	await expect(finishLeaving(folder, stuck)).rejects.toThrow("it does not end");
	expect(await readLeaving(folder)).toEqual(leaving);
	expect(await finishLeaving(folder, async () => {})).toEqual([]);
	expect(await readdir(state)).toEqual([]);
	// Also of one that was interrupted after that.
	expect(await finishLeaving(folder, async () => {})).toEqual([]);
});

test("the host's files are put back when that is finished by another daemon", async () => {
	const file = join(state, "file");
	const before = { content: btoa("theirs"), mode: 0o644, uid: process.getuid?.(), gid: process.getgid?.() };
	const kept = [{ name: file, path: file, before: { ...before, times: [1, 1] }, after: btoa("ours") }];
	await writeFile(join(folder, "logins.json"), JSON.stringify(kept));
	await writeFile(file, "ours");
	await beginLeaving(folder, member, null, signal, async () => {});
	await finishLeaving(folder, async () => {});
	expect(await readFile(file, "utf8")).toBe("theirs");
});

test("a folder of which only a part was removed is no membership, and goes", async () => {
	await mkdir(join(state, "domain.left/private"), { recursive: true });
	await rm(folder, { recursive: true });
	expect(await readMember(folder)).toBeUndefined();
	await removeLeft(folder);
	expect(existsSync(join(state, "domain.left"))).toBe(false);
});

test("a mark that cannot be read is one", async () => {
	expect(await readLeaving(folder)).toBeUndefined();
	await writeFile(join(folder, "leaving.json"), "{");
	expect(await readLeaving(folder)).toEqual({
		...{ realm: null, name: null },
		left: "the host's account may be left in the domain",
	});
});

test("no controller of another domain is given anybody's password", async () => {
	const serves: Record<string, string> = { a: "OTHER.EXAMPLE.ORG", c: member.realm, d: member.realm };
	const asked: string[] = [];
	const ask = async (server: string) => {
		asked.push(server);
		const realm = serves[server];
		if (realm === undefined) throw new Error(`${server} does not say`);
		return realm;
	};
	expect(await ownController(["a", "b", "c", "d"], member.realm, ask)).toBe("c");
	expect(asked).toEqual(["a", "b", "c"]);
	expect(await ownController(["a"], member.realm, ask)).toBeUndefined();
	expect(await ownController([], member.realm, ask)).toBeUndefined();
	// It may be the domain's: better nothing has changed than that the account is left there.
	await expect(ownController(["a", "b"], member.realm, ask)).rejects.toThrow("b does not say");
});
