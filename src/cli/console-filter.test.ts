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
	["a title of screen's", "a\u001bkx\u001b\\b", "ab"],
	["clipboard, with a control character in between", "a\u001b\u0000]52;c;aGk=\u0007b", "a\u0000b"],
	["clipboard, on two lines", "a\u001b\n]52;c;aGk=\u0007b", "a\nb"],
	["clipboard, with a delete character in between", "a\u001b\u007f]52;c;aGk=\u0007b", "ab"],
	["clipboard, with letters of other alphabets in between", "a\u001bé\u009d]52;c;aGk=\u0007b", "ab"],
	["device control string, with a control character in between", "a\u001b\u0000P$q\u001b\\b", "a\u0000b"],
	["one that follows a string, likewise", "a\u001b]0;x\u001b\u0000P$q\u001b\\b", "a\u0000b"],
	["window operations, likewise", "a\u001b[2\u00001\n;\u007fé\u00801tb", "a\u0000\nb"],
	["colours, likewise: they come after it", "a\u001b[1;\n31m\u001b(\rBb", "a\n\u001b[1;31m\r\u001b(Bb"],
	["a cancelled sequence", "a\u001b\u0018]b\u001b[3\u001a1mc\u001b(\u0018B", "a]b1mcB"],
	["another coding than UTF-8", "a\u001b%@b\u001b%Gc\u001b%/Gd\u001b\u0000%\u0000@e", "abcd\u0000\u0000e"],
	[
		"letter sets and tests of the screen stay",
		"\u001b(0\u001b)B\u001b#8\u001b F\u001b7\u001bc",
		"\u001b(0\u001b)B\u001b#8\u001b F\u001b7\u001bc",
	],
	["a cancelled string", "a\u001b]0;x\u0018b", "ab"],
	["an escape that begins anew", "a\u001b\u001b[1m\u001b[3\u001b[4mb", "a\u001b[1m\u001b[4mb"],
];

/** How many strings a terminal begins that is sent this, in UTF-8 (the states of a VT500). */
function stringsIn(bytes: Buffer): number {
	let state: "ground" | "escape" | "intermediate" | "control" = "ground";
	let strings = 0;
	for (const character of bytes.toString()) {
		const code = character.codePointAt(0) ?? 0;
		if (code === 0x9d || code === 0x90) strings++;
		else if (code === 0x18 || code === 0x1a) state = "ground";
		else if (code === 0x1b) state = "escape";
		else if (code < 0x20 || code >= 0x7f || state === "ground") continue;
		else if (state === "control") state = code < 0x40 ? "control" : "ground";
		else if (code < 0x30) state = "intermediate";
		else if (state === "intermediate") state = "ground";
		else {
			if ("]P^_Xk".includes(character)) strings++;
			state = character === "[" ? "control" : "ground";
		}
	}
	return strings;
}

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
		const set = new ConsoleFilter().push(Buffer.from(`a\u001b${"(".repeat(100)}Bb`)).toString();
		expect(set).toMatch(/^a\(+Bb$/);
	});

	it("drops a first byte without its second", () => {
		const sent = [0x61, 0xc2, 0xc2, 0x9d, 0xc2, 0x1b, 0x5d, 0x07, 0xc2, 0x62, 0xc2, 0xa7];
		expect(new ConsoleFilter().push(Buffer.from(sent)).toString()).toBe("ab§");
	});

	it("passes no string, whatever stands between its bytes", () => {
		const between = [
			0x00, 0x07, 0x0a, 0x0e, 0x18, 0x1a, 0x1b, 0x20, 0x25, 0x28, 0x3b, 0x5b, 0x7f, 0x80, 0x9b, 0x9d, 0xc2,
			0xc3, 0xe4, 0xff,
		];
		for (const first of between)
			for (const second of between)
				for (const start of Buffer.from("]P^_Xk"))
					for (const before of ["\u001b", "\u001b[", "\u001b(", "\u001b]\u001b", "\u001b]", "\u00c2"]) {
						const sent = [...Buffer.from(before, "latin1"), first, second, start, 0x35, 0x32];
						const passed = new ConsoleFilter().push(Buffer.from(sent));
						expect(stringsIn(passed), `${Buffer.from(sent).toString("hex")}`).toBe(0);
					}
	});
});
