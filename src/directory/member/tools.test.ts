import { describe, expect, test } from "vitest";
import { BulkheadError } from "../../api/errors.ts";
import { CommandError } from "../../host/command.ts";
import { controllerFilter, factsIn, groupIdIn, refusalOr } from "./tools.ts";

const failed = (stderr: string) => new CommandError("net ads join", "ended with code 255", 255, stderr);

describe("what a domain refuses", () => {
	test.each([
		["kerberos_kinit_password a@AD failed: Preauthentication failed", /: password: it is not alice's/],
		["kerberos_kinit_password a@AD failed: Client not found in Kerberos database", /knows no alice/],
		["failed: Clients credentials have been revoked", /locked, disabled or expired/],
		["Failed to join domain: NT_STATUS_ACCOUNT_LOCKED_OUT", /locked, disabled or expired/],
		["failed: Password has expired", /has expired/],
		["failed: Clock skew too great", /clocks/],
		["Failed to join domain: Failed to set machine upn (Insufficient access)", /may not add computers/],
	])("%s", (stderr, words) => {
		const error = refusalOr(failed(stderr), "alice");
		expect(error).toBeInstanceOf(BulkheadError);
		expect(String(error)).toMatch(words);
	});

	test("and what it does not is told as it is", () => {
		const error = failed("No logon servers are currently available");
		expect(refusalOr(error, "alice")).toBe(error);
		// Nobody's name or password was given.
		expect(refusalOr(failed("Preauthentication failed"), undefined)).toBeInstanceOf(CommandError);
	});
});

describe("a group that is named", () => {
	const found = (sid: string, type: string) => `Got 1 replies\n\nobjectSid: ${sid}\ngroupType: ${type}\n`;

	test("is known by its SID", () => {
		const text = found("S-1-5-21-1-2-3-1105", "-2147483646");
		expect(groupIdIn(text, "adminGroup", "linux admins")).toBe("S-1-5-21-1-2-3-1105");
	});

	test.each<[string, string, RegExp]>([
		["that there is not", "Got 0 replies\n", /^adminGroup: the domain has no group x$/],
		["that is builtin", found("S-1-5-32-544", "-2147483643"), /^adminGroup: x is builtin \(S-1-5-32-544\)/],
		["for mail", found("S-1-5-21-1-2-3-1105", "2"), /^adminGroup: x is no security group/],
		["of no known type", "objectSid: S-1-5-21-1-2-3-1105\n", /no security group/],
		[
			"that winbindd gives no number to",
			found("S-1-5-21-1-2-3-1000000", "-2147483646"),
			/^adminGroup: x \(S-1-5-21-1-2-3-1000000\) has too high a number for winbindd/,
		],
	])("is refused: one %s", (_, text, why) => {
		expect(() => groupIdIn(text, "adminGroup", "x")).toThrow(why);
	});
});

test("a controller is found by its account, also one that only reads, and no other's name is one", () => {
	const flags = "(userAccountControl:1.2.840.113556.1.4.803:=";
	const any = `(|${flags}8192)${flags}67108864))`;
	expect(controllerFilter("DC1")).toBe(`(&(sAMAccountName=DC1$)${any})`);
	expect(controllerFilter("*)(cn=\\")).toBe(`(&(sAMAccountName=\\2a\\29\\28cn=\\5c$)${any})`);
});

describe("what a controller says of itself", () => {
	const info = (address: string) =>
		[
			...[`LDAP server: ${address}`, "LDAP server name: dc1.ad.example.com", "Realm: AD.EXAMPLE.COM"],
			...["LDAP port: 389", "Server time offset: -7", "Last machine account password change: "],
		].join("\n");

	test("is read", () => {
		expect(factsIn(info("10.99.0.10"), "10.99.0.10")).toEqual({
			...{ realm: "AD.EXAMPLE.COM", clockAheadSeconds: -7, passwordChangedAt: null },
		});
		expect(factsIn(info("fd00::1"), "FD00:0::1").realm).toBe("AD.EXAMPLE.COM");
	});

	test("is not taken for what another says, who is asked where it does not answer", () => {
		for (const text of [info("10.99.0.11"), info(""), "Failed"])
			expect(() => factsIn(text, "10.99.0.10")).toThrow("10.99.0.10 does not say which domain it serves");
	});
});
