import { expect, test } from "vitest";
import { administer, wordsOfTool } from "./accounts.ts";

test("names are no options, and a password is on standard input alone", async () => {
	const calls: unknown[] = [];
	const run = async (command: readonly string[], input?: string) => {
		calls.push({ command: command.join(" "), input });
		return "";
	};
	await administer({ what: "add-user", user: "alice", password: "Al1ce Pass" }, run);
	await administer({ what: "add-member", group: "Till Staff", user: "alice" }, run);
	expect(calls).toEqual([
		{ command: "/usr/bin/samba-tool user create -- alice", input: "Al1ce Pass\nAl1ce Pass\n" },
		{ command: "/usr/bin/samba-tool group addmembers -- Till Staff alice", input: undefined },
	]);
});

test("what a guest says are names is taken for names only as far as it can be", async () => {
	const said = `krbtgt\nAlice\n\n\u001b]0;title\u0007\n${"x".repeat(300)}\n`;
	expect(await administer({ what: "users" }, async () => said)).toEqual(["Alice", "krbtgt"]);
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
