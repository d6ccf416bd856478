import { expect, test } from "vitest";
import { refuseLentNumber, refuseTakenNumbers } from "./edits.ts";

test("numbers of the domain's that the host has given away are refused", () => {
	refuseTakenNumbers("/etc/group", "root:x:0:\nusers:x:100:carol\nhigh:x:4000000:\n");
	const taken = () => refuseTakenNumbers("/etc/group", "root:x:0:\nold:x:3001105:carol\n");
	expect(taken).toThrow(
		"/etc/group: old has the number 3001105, and those from 2000000 to 3999999 are for the domain's users and groups",
	);
});

test("a group's number that a user is lent for namespaces is refused, root's is not", () => {
	const lent = "root:1000000:1000000000\n0:1000000:1000000000\ncarol:100000:65536\n\ndave:2935464:65536\n";
	for (const gid of [3_001_000, 2_935_463]) refuseLentNumber(lent, gid);
	for (const gid of [2_935_464, 3_000_999])
		expect(() => refuseLentNumber(lent, gid)).toThrow(/^adminGroup: \/etc\/subgid lends dave its number/);
});
