import { describe, expect, it } from "vitest";
import { ConsoleFilter } from "./console-filter.ts";

const cases: [string, string, string][] = [
	[
		"text, colours and cursor stay",
		"a\u001b[1;31mé世\u001b[2J\u001b[?1049h\u001b(B\u001bM\r\n",
		"a\u001b[1;31mé世\u001b[2J\u001b[?1049h\u001b(B\u001bM\r\n",
	],
	["clipboard", "a\u001b]52;c;aGk=\u0007b", "ab"],
	["title, ended by a string terminator", "a\u001b]0;x\u001b\\b", "ab"],
	["device control string", "a\u001bP$q\u001b\\b", "ab"],
	["8-bit operating system command", "a\u009d0;xb", "a0;xb"],
	["window operations and printing", "a\u001b[21t\u001b[5ib", "ab"],
	["a sequence within a string is one of its own", "a\u001b]0;x\u001b[1mb", "a\u001b[1mb"],
	["a cancelled string", "a\u001b]0;x\u0018b", "ab"],
	["an escape that begins anew", "a\u001b\u001b[1m\u001b[3\u001b[4mb", "a\u001b[1m\u001b[4mb"],
];

describe("console filter", () => {
	it.each(cases)("%s", (_, sent, shown) => {
		expect(new ConsoleFilter().push(Buffer.from(sent)).toString()).toBe(shown);
		const filter = new ConsoleFilter();
		const pieces = [...Buffer.from(sent)].map((byte) => filter.push(Buffer.from([byte])));
		expect(Buffer.concat(pieces).toString()).toBe(shown);
	});

	it("does not hold back a sequence without end", () => {
		const shown = new ConsoleFilter().push(Buffer.from(`a\u001b[${"1;".repeat(100)}mb`)).toString();
		expect(shown).not.toContain("\u001b");
		expect(shown.endsWith("mb")).toBe(true);
	});
});
