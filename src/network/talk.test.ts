import { describe, expect, test } from "vitest";
import { profileSchema, serviceCatalogue } from "./services.ts";
import { isTalkRule, talkOf, talkSchema } from "./talk.ts";

type Described = Parameters<typeof talkOf>[0]["health"];
const rulesOf = (health: Described) => talkOf({ health, everyMs: 2000, withinMs: 8000 })?.rules ?? [];

/** What HAProxy does with an answer and a rule: a regular expression over its bytes in upper case hexadecimal. */
function accepts(service: string, answer: Buffer): boolean {
	const rule = rulesOf(serviceCatalogue[service]?.health).find((one) => one.includes("expect")) ?? "";
	const pattern = /'(.*)'$/.exec(rule)?.[1] ?? "nothing";
	return new RegExp(pattern).test(answer.toString("hex").toUpperCase());
}

const text = (said: string) => Buffer.from(said, "latin1");
const error = (state: string) => text(`E\0\0\0\x50SFATAL\0VFATAL\0C${state}\0Mnot now\0\0`);

describe("what counts as well", () => {
	test.each([
		["ssh", text("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10\r\n")],
		// RFC 4253, 4.2: other lines may come before.
		["ssh", text("For staff only\r\nSSH-2.0-OpenSSH_9.2p1\r\n")],
		// What sshd says instead when too many have not logged in yet, or after failed logins: until 9.7 and since.
		["ssh", text("Exceeded MaxStartups\r\n")],
		["ssh", text("Not allowed at this time\r\n")],
		["smtp", text("220 mail.test ESMTP\r\n")],
		["smtp", text("220-mail.test ESMTP\r\n220-no spam\r\n220 go on\r\n")],
		["smtp", text("220\r\n")],
		["smtp", text("554 no service for you\r\n")],
		["submission", text("421 too many connections\r\n")],
		["imap", text("* OK ready\r\n")],
		["ldap", Buffer.from("300c02010161070a010004000400", "hex")],
		["ldap", Buffer.from("3084000000100201016184000000070a010004000400", "hex")],
		["ldap", Buffer.from("30818702010161818107", "hex")],
		// A notice of disconnection (RFC 4511, 4.4.1).
		["ldap", Buffer.from("302402010078", "hex")],
		["postgresql", Buffer.from("520000000c00000005a1b2c3d4", "hex")],
		["postgresql", error("28000")],
		["postgresql", error("3D000")],
		["postgresql", error("53300")],
		["postgresql", error("42501")],
		["postgresql", error("55000")],
		// PgBouncer of users and databases that it does not know.
		["postgresql", error("08P01")],
		["mysql", text("\x64\0\0\0\x0a10.11.19-MariaDB\0")],
		["mysql", text("\x45\0\0\0\xff\x6a\x04Host is not allowed")],
		["mysql", text("\x17\0\0\x01\xff\x10\x04Too many connections")],
		["https", Buffer.from("160303007a", "hex")],
		["https", Buffer.from("15030300020228", "hex")],
	])("%s: %j", (service, answer) => {
		expect(accepts(service, answer)).toBe(true);
	});

	test.each([
		["ssh", text("HTTP/1.1 400 Bad Request\r\n")],
		["ssh", text("we speak of SSH-2.0 here\r\n")],
		["smtp", text("* OK ready\r\n")],
		// What comes before the end of its greeting is taken for a spammer's haste (Postfix' postscreen, Exim).
		["smtp", text("220-wait for it\r\n")],
		["postgresql", error("57P03")],
		["postgresql", error("57P01")],
		["mysql", text("SSH-2.0-x\r\n")],
		["https", text("HTTP/1.1 400 Bad Request\r\n")],
	])("%s: not %j", (service, answer) => {
		expect(accepts(service, answer)).toBe(false);
	});
});

test("the rules of every profile may be written, and nothing else may", () => {
	for (const { health } of Object.values(serviceCatalogue)) {
		for (const rule of rulesOf(health)) expect(rule).toSatisfy(isTalkRule);
	}
	const wrong = [
		"tcp-check connect",
		"tcp-check send-binary 0A\nglobal",
		"tcp-check expect rbinary '^(0A)' #'",
	];
	for (const rule of wrong) expect(isTalkRule(rule)).toBe(false);
});

test("bytes are bytes in whichever way they are written", () => {
	expect(rulesOf([{ send: "A\r\n" }])).toEqual(rulesOf([{ sendHex: "41 0d 0a" }]));
	expect(rulesOf([{ expect: ["'^("] }])).toEqual(["tcp-check expect rbinary '^(275E28)'"]);
	for (const hex of ["4", "41 ", "zz", "41)|(", ".."]) {
		expect(talkSchema.safeParse([{ sendHex: hex }]).success).toBe(false);
	}
	for (const text of ["\u2026", "\0", ""]) expect(talkSchema.safeParse([{ send: text }]).success).toBe(false);
	expect(rulesOf([{ expectHex: ["3. 20", "** 0a"] }])).toEqual([
		"tcp-check expect rbinary '^(3.20|(..)*0A)'",
	]);
});

test("a hello is as long as it says", () => {
	const [rule = ""] = rulesOf("tls");
	const hello = Buffer.from(rule.split(" ").at(-1) ?? "", "hex");
	expect(hello.readUInt16BE(3)).toBe(hello.length - 5);
	expect(hello.readUIntBE(6, 3)).toBe(hello.length - 9);
});

test("servers that look up who comes before they greet have the time that takes with three name servers", () => {
	const patient = Object.entries(serviceCatalogue).filter(([, { withinMs }]) => withinMs > 34_000);
	expect(patient.map(([name]) => name)).toEqual(["mysql", "smtp", "submission", "submissions"]);
	expect(talkOf(profileSchema.parse(serviceCatalogue.smtp))).toMatchObject({
		everyMs: 2000,
		withinMs: 40_000,
	});
});

test("a client of MySQL that is to log in by another method answers before it goes", () => {
	const login = rulesOf(serviceCatalogue.mysql?.health).at(-1)?.split(" ").at(-1) ?? "";
	const [bytes, first] = [Buffer.from(login, "hex"), 4 + 0x40];
	// Each is its length, its number, and so many bytes (MySQL internals manual, "Protocol::Packet").
	expect([bytes.readUIntLE(0, 3), bytes[3]]).toEqual([0x40, 1]);
	expect([bytes.readUIntLE(first, 3), bytes[first + 3]]).toEqual([64, 3]);
	expect(bytes.length).toBe(first + 4 + 64);
});
