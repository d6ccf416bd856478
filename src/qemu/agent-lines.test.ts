import { expect, test } from "vitest";
import { AgentLines } from "./agent-lines.ts";

function linesUpTo(largest: number) {
	const heard: string[] = [];
	const lines = new AgentLines({
		onLine: (line) => heard.push(line),
		onTooLong: () => heard.push("too long"),
		largest: () => largest,
	});
	const say = (text: string) => lines.take(Buffer.from(text, "latin1"));
	return { heard, lines, say };
}

test("lines come whole, however they are cut on their way", () => {
	const text = "one\n\ntwo \xff\xe9\nthree\nrest";
	for (const size of [1, 2, 3, 7, 100]) {
		const { heard, say } = linesUpTo(10);
		for (let from = 0; from < text.length; from += size) say(text.slice(from, from + size));
		expect(heard).toEqual(["one", "", "two \xff\xe9", "three"]);
	}
});

test("of a line that is too long nothing is taken, which is told once and at once", () => {
	const { heard, say } = linesUpTo(10);
	say("ten bytes!");
	expect(heard).toEqual([]);
	say("!");
	expect(heard).toEqual(["too long"]);
	for (let i = 0; i < 10; i++) say("abcdefgh");
	say("ij\nnext\n12345678901\nlast\n");
	expect(heard).toEqual(["too long", "next", "too long", "last"]);
});

test("a guest that sends its megabytes byte for byte costs no more than their reading", () => {
	const { heard, lines, say } = linesUpTo(2 ** 20);
	const byte = Buffer.from("x");
	for (let i = 0; i < 2 ** 20; i++) lines.take(byte);
	say("\n");
	expect(heard.map(({ length }) => length)).toEqual([2 ** 20]);
});
