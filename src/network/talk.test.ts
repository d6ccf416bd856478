import { describe, expect, test } from "vitest";
import { serviceCatalogue } from "./services.ts";
import { isTalkRule, talkOf, talkSchema } from "./talk.ts";

/** What HAProxy does with an answer and a rule: a regular expression over its bytes in upper case hexadecimal. */
function accepts(service: string, answer: Buffer): boolean {
	const { health } = serviceCatalogue[service] ?? {};
	const rule = talkOf(health ?? []).rules.find((one) => one.includes("expect")) ?? "";
	const pattern = /'(.*)'$/.exec(rule)?.[1] ?? "nothing";
	return new RegExp(pattern).test(answer.toString("hex").toUpperCase());
}

const text = (said: string) => Buffer.from(said, "latin1");
const error = (state: string) => text(`E\0\0\0\x50SFATAL\0VFATAL\0C${state}\0Mnot now\0\0`);

describe("what counts as well", () => {
	test.each([
		["ssh", text("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10\r\n")],
		["smtp", text("220 mail.test ESMTP\r\n")],
		["smtp", text("554 no service for you\r\n")],
		["submission", text("421 too many connections\r\n")],
		["imap", text("* OK ready\r\n")],
		["ldap", Buffer.from("300c02010161070a010004000400", "hex")],
		["ldap", Buffer.from("3084000000100201016184000000070a010004000400", "hex")],
		["postgresql", Buffer.from("520000000c00000005a1b2c3d4", "hex")],
		["postgresql", error("28000")],
		["postgresql", error("3D000")],
		["postgresql", error("53300")],
		["mysql", text("\x64\0\0\0\x0a10.11.19-MariaDB\0")],
		["mysql", text("\x45\0\0\0\xff\x6a\x04Host is not allowed")],
		["https", Buffer.from("160303007a", "hex")],
		["https", Buffer.from("15030300020228", "hex")],
	])("%s: %j", (service, answer) => {
		expect(accepts(service, answer)).toBe(true);
	});

	test.each([
		["ssh", text("HTTP/1.1 400 Bad Request\r\n")],
		["smtp", text("* OK ready\r\n")],
		["postgresql", error("57P03")],
		["mysql", text("SSH-2.0-x\r\n")],
		["https", text("HTTP/1.1 400 Bad Request\r\n")],
	])("%s: not %j", (service, answer) => {
		expect(accepts(service, answer)).toBe(false);
	});
});

test("the rules of every profile may be written, and nothing else may", () => {
	for (const { health } of Object.values(serviceCatalogue)) {
		for (const rule of health ? talkOf(health).rules : []) expect(rule).toSatisfy(isTalkRule);
	}
	const wrong = [
		"tcp-check connect",
		"tcp-check send-binary 0A\nglobal",
		"tcp-check expect rbinary '^(0A)' #'",
	];
	for (const rule of wrong) expect(isTalkRule(rule)).toBe(false);
});

test("bytes are bytes in whichever way they are written", () => {
	expect(talkOf([{ send: "A\r\n" }]).rules).toEqual(talkOf([{ sendHex: "41 0d 0a" }]).rules);
	expect(talkOf([{ expect: ["'^("] }]).rules).toEqual(["tcp-check expect rbinary '^(275E28)'"]);
	for (const hex of ["4", "41 ", "zz", "41)|(", ".."]) {
		expect(talkSchema.safeParse([{ sendHex: hex }]).success).toBe(false);
	}
});

test("a hello is as long as it says", () => {
	const [rule = ""] = talkOf("tls").rules;
	const hello = Buffer.from(rule.split(" ").at(-1) ?? "", "hex");
	expect(hello.readUInt16BE(3)).toBe(hello.length - 5);
	expect(hello.readUIntBE(6, 3)).toBe(hello.length - 9);
});
