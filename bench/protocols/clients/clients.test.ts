import { expect, test } from "vitest";
import { answerIn } from "./ldap.ts";
import { replyLength } from "./smtp.ts";
import { responseLength } from "./web.ts";

test("a response is there when its body is", () => {
	const text = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
	expect(responseLength(Buffer.from(text))).toBe(text.length);
	expect(responseLength(Buffer.from(text.slice(0, -1)))).toBeUndefined();
	expect(responseLength(Buffer.from(`${text}HTTP`))).toBe(text.length);
});

test.each([
	["220 ready\r\n", 11],
	["250-one\r\n250 two\r\n", 18],
	["250-one\r\n", undefined],
	["250 two", undefined],
])("a reply %j is there as a whole or not", (text, length) => {
	expect(replyLength(Buffer.from(text))).toBe(length);
});

test("an answer of LDAP ends with the message that is no entry", () => {
	const entry = Buffer.from("300702010164020400", "hex");
	const done = Buffer.from("300c02010165070a010004000400", "hex");
	const whole = Buffer.concat([entry, done]);
	expect(answerIn(entry)).toBeUndefined();
	expect(answerIn(whole)).toEqual({ length: whole.length, operations: [0x64, 0x65] });
	expect(answerIn(whole.subarray(0, -1))).toBeUndefined();
	expect(answerIn(Buffer.concat([whole, done]))?.length).toBe(whole.length);
	expect(() => answerIn(Buffer.from("3003020101", "hex"))).toThrow("no LDAP");
});
