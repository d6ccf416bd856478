import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { refuseDomainsName, refuseOthers, refuseSkew, removeHalfJoined } from "./join.ts";

test.each([
	[600, /the clock of dc1 is 600 s ahead of the host's, and Kerberos allows 5 minutes/],
	[-241, /241 s behind the host's/],
	[Number.NaN, /of another time than the host's/],
])("a clock that is %d s ahead is refused", (seconds, words) => {
	expect(() => refuseSkew("dc1", seconds)).toThrow(words);
});

test("a clock that is nearly right is not", () => {
	for (const seconds of [0, 3, -240, 240]) expect(() => refuseSkew("dc1", seconds)).not.toThrow();
});

test("a host that is called as the domain is for short is refused", () => {
	expect(() => refuseDomainsName("ad", "AD")).toThrow(/^name: .* called ad, as its domain .* --name$/);
	refuseDomainsName("AD1", "AD");
});

test("each controller that answers has to be the domain's, with the host's time", () => {
	const realm = "AD.EXAMPLE.COM";
	const good = { realm, clockAheadSeconds: 1, passwordChangedAt: null };
	const other = { ...good, realm: "OTHER.EXAMPLE.ORG" };
	expect(() =>
		refuseOthers(realm, [
			["dc1", good],
			["dc2", good],
		]),
	).not.toThrow();
	expect(() =>
		refuseOthers(realm, [
			["dc1", good],
			["dc2", other],
		]),
	).toThrow(/^controllers: dc2 serves OTHER.EXAMPLE.ORG, not AD.EXAMPLE.COM$/);
	expect(() => refuseOthers(realm, [["dc1", other]])).toThrow(/^realm: dc1 serves OTHER.EXAMPLE.ORG/);
	expect(() =>
		refuseOthers(realm, [
			["dc1", good],
			["dc2", { ...good, clockAheadSeconds: -900 }],
		]),
	).toThrow(/the clock of dc2 is 900 s behind the host's/);
});

test("of a join that did not end the host's files are put back; until they can be, what they were is kept", async () => {
	const folder = await mkdtemp(join(tmpdir(), "bulkhead-join-"));
	try {
		const [making, file] = [join(folder, "domain.making"), join(folder, "place/file")];
		const before = { content: btoa("theirs"), mode: 0o644, uid: process.getuid?.(), gid: process.getgid?.() };
		const kept = [{ name: file, path: file, before: { ...before, times: [1, 1] }, after: btoa("ours") }];
		await mkdir(making);
		await writeFile(join(making, "logins.json"), JSON.stringify(kept));
		await writeFile(join(folder, "place"), "no folder");
		await expect(removeHalfJoined(join(folder, "domain"))).rejects.toThrow(
			/^from a join that did not end, files below \/etc could not be put back yet \(.*; it is tried again$/,
		);
		expect(existsSync(join(making, "logins.json"))).toBe(true);
		await rm(join(folder, "place"));
		await mkdir(join(folder, "place"));
		await writeFile(file, "ours");
		expect(await removeHalfJoined(join(folder, "domain"))).toBeNull();
		expect(await readFile(file, "utf8")).toBe("theirs");
		expect(existsSync(making)).toBe(false);
	} finally {
		await rm(folder, { recursive: true, force: true });
	}
});
