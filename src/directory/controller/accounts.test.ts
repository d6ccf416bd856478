import { expect, test } from "vitest";
import { administer, type RunInGuest, wordsOfTool } from "./accounts.ts";

const saying =
	(output: string, code = 0) =>
	async () => ({ code, output });

test("names are no options, and a password is on standard input alone", async () => {
	const calls: unknown[] = [];
	const run: RunInGuest = async (command, options) => {
		calls.push({ command: command.join(" "), ...options });
		return { code: 0, output: "" };
	};
	await administer({ what: "add-user", user: "alice", password: "Al1ce Pass" }, run);
	await administer({ what: "add-member", group: "Till Staff", user: "alice" }, run);
	await administer({ what: "check" }, run);
	expect(calls).toEqual([
		{ command: "/usr/bin/samba-tool user create -- alice", input: "Al1ce Pass\nAl1ce Pass\n" },
		{ command: "/usr/bin/samba-tool group addmembers -- Till Staff alice" },
		{ command: "/usr/bin/samba-tool dbcheck --cross-ncs", findingsCode: 1 },
	]);
});

test("what a guest says are names is taken for names only as far as it can be", async () => {
	const said = `krbtgt\nAlice\n\n\u001b]0;title\u0007\n${"x".repeat(300)}\n`;
	const expected = { names: ["Alice", "krbtgt"], findings: null };
	expect(await administer({ what: "users" }, saying(said))).toEqual(expected);
});

test("all users are named, or none: a part of them would be taken for all", async () => {
	const { names } = await administer({ what: "users" }, saying("a\n".repeat(100_000)));
	expect(names).toHaveLength(100_000);
	await expect(administer({ what: "users" }, saying("a\n".repeat(100_001)))).rejects.toThrow(
		"more than 100000: they are not taken",
	);
});

test("what a check has found is told, in its own order", async () => {
	const long = `CN=${"x".repeat(2500)}`;
	const said = `Checking 300 objects\nERROR: missing backlink\u001b[2J on:\n\tCN=alice\n\n${long}\nChecked 300 objects (2 errors)\n`;
	const { names, findings } = await administer({ what: "check" }, saying(said, 1));
	expect(names).toEqual([]);
	expect(findings).toEqual({
		ok: false,
		lines: [
			"Checking 300 objects",
			"ERROR: missing backlink [2J on:",
			"  CN=alice",
			`${long.slice(0, 2000)}…`,
			"Checked 300 objects (2 errors)",
		],
	});
	const well = await administer({ what: "replication" }, saying("[ALL GOOD]\n"));
	expect(well.findings).toEqual({ ok: true, lines: ["[ALL GOOD]"] });
});

test("of more findings than anybody reads the first ones are told, how many there are, and the sum", async () => {
	const said = `${Array.from({ length: 5000 }, (_, i) => `error ${i}`).join("\n")}\nChecked 300 objects (5000 errors)\n`;
	const { findings } = await administer({ what: "check" }, saying(said, 1));
	expect(findings?.lines).toHaveLength(2002);
	expect(findings?.lines.slice(-3)).toEqual([
		"error 1999",
		"… 3001 more lines; the last one:",
		"Checked 300 objects (5000 errors)",
	]);
});

test.each([
	[
		`ERROR(ldb): Failed to add user 'alice':  - LDAP error 68 LDAP_ENTRY_ALREADY_EXISTS - <00002071: samldb: Account name (sAMAccountName) 'alice' already in use!> <>`,
		/^Failed to add user 'alice': .*already in use!> <>$/,
	],
	[
		`warning\nERROR: Failed to set password for user 'bob': (19, '0000052D: Constraint violation - check_password_restrictions: the password is too short. It should be equal or longer than 7 characters!')`,
		/^password: the password is too short. It should be equal or longer than 7 characters$/,
	],
	["\u001b[31mred", /^ \[31mred$/],
])("of %j the words are told", (said, words) => {
	expect(wordsOfTool(said)).toMatch(words);
});
