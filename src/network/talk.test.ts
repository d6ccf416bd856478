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
		// Confirms with what was chosen, without, and with a failure: HYBRID_REQUIRED_BY_SERVER (MS-RDPBCGR, 2.2.1.2).
		["remote-desktop", Buffer.from("030000130ed00000123400021f080002000000", "hex")],
		["remote-desktop", Buffer.from("0300000b06d00000123400", "hex")],
		["remote-desktop", Buffer.from("030000130ed000001234000300080005000000", "hex")],
		// Tabular results (MS-TDS, 2.2.3.1.1): a PRELOGIN, and a login error in its place.
		["sql-server", Buffer.from("0401002b0000010000001a0006", "hex")],
		["sql-server", Buffer.from("04010061000001", "hex")],
		["sql-server-strict", Buffer.from("160303007a", "hex")],
		["print", text("HTTP/1.1 400 Bad Request\r\n")],
		["print", text("HTTP/1.0 426 Upgrade Required\r\n")],
		["iis", text("HTTP/1.1 200 OK\r\n")],
		["iis", text("HTTP/1.1 401 Unauthorized\r\n")],
		["file-server", Buffer.from("00000041fe534d4240000100", "hex")],
		["active-directory", Buffer.from("3084000000100201016184000000070a010004000400", "hex")],
		// strongerAuthRequired, of a controller that wants signatures.
		["active-directory", Buffer.from("3084000000100201016184000000070a010804000400", "hex")],
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
		["remote-desktop", text("SSH-2.0-x\r\n")],
		["sql-server", text("HTTP/1.1 400 Bad Request\r\n")],
		["print", text("* OK ready\r\n")],
		["iis", text("HTTP/1.1 503 Service Unavailable\r\n")],
		["iis", text("HTTP/1.1 500 Internal Server Error\r\n")],
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

/** Bytes by the names that a document gives its fields. */
const joined = (fields: readonly (readonly [string, string])[]) =>
	Buffer.from(
		fields
			.map(([bytes]) => bytes)
			.join("")
			.replaceAll(" ", ""),
		"hex",
	);
const firstOf = (service: string) =>
	Buffer.from(rulesOf(serviceCatalogue[service]?.health)[0]?.split(" ").at(-1) ?? "", "hex");

test("what SQL Server is sent is a PRELOGIN as MS-TDS has it (2.2.3.1, 2.2.6.5, the example of 4.1)", () => {
	const fields = [
		["12", "Type: Pre-Login"],
		["01", "Status: end of message"],
		["00 2f", "Length, this header's 8 bytes included"],
		["00 00", "SPID"],
		["01", "PacketID"],
		["00", "Window"],
		["00 00 1a 00 06", "PL_OPTION_TOKEN VERSION, PL_OFFSET 26, PL_OPTION_LENGTH 6"],
		["01 00 20 00 01", "ENCRYPTION at 32"],
		["02 00 21 00 01", "INSTOPT at 33"],
		["03 00 22 00 04", "THREADID at 34"],
		["04 00 26 00 01", "MARS at 38"],
		["ff", "TERMINATOR"],
		["09 00 00 00 00 00", "UL_VERSION 9.0.0, US_SUBBUILD 0"],
		["00", "B_FENCRYPTION: ENCRYPT_OFF, it is available and not asked for"],
		["00", "B_INSTVALIDITY: of no instance by name"],
		["00 00 00 00", "UL_THREADID"],
		["00", "B_MARS: off"],
	] as const;
	expect(firstOf("sql-server")).toEqual(joined(fields));
	const sent = firstOf("sql-server");
	expect(sent.readUInt16BE(2)).toBe(sent.length);
	// The options lie one after the other behind their table, and end where the packet does.
	const options = [0, 1, 2, 3, 4].map((i) => [
		sent.readUInt16BE(8 + 5 * i + 1),
		sent.readUInt16BE(8 + 5 * i + 3),
	]);
	let end = 26;
	for (const [offset = 0, length = 0] of options) {
		expect(offset).toBe(end);
		end += length;
	}
	expect(8 + end).toBe(sent.length);
});

test("what a remote desktop is sent is a connection request as MS-RDPBCGR has it (2.2.1.1)", () => {
	const fields = [
		["03 00", "tpktHeader: version 3, reserved"],
		["00 13", "length of the whole"],
		["0e", "x224Crq: LI, without this byte"],
		["e0", "CR, credit 0"],
		["00 00 00 00 00", "DST-REF, SRC-REF, class 0"],
		["01", "rdpNegReq: TYPE_RDP_NEG_REQ"],
		["00", "flags"],
		["08 00", "length"],
		["0b 00 00 00", "PROTOCOL_SSL, PROTOCOL_HYBRID, PROTOCOL_HYBRID_EX"],
	] as const;
	const sent = firstOf("remote-desktop");
	expect(sent).toEqual(joined(fields));
	expect([sent.readUInt16BE(2), (sent[4] ?? 0) + 5]).toEqual([sent.length, sent.length]);
});

test("only where its profile says so is a server well that hangs up", () => {
	const forgiving = Object.entries(serviceCatalogue).filter(
		([, profile]) => talkOf(profile)?.hangUp === "well",
	);
	expect(forgiving.map(([name]) => name)).toEqual(["sql-server", "sql-server-strict"]);
});
