import { describe, expect, it } from "vitest";
import { EventStreamParser } from "./event-stream.ts";

const stream =
	"\uFEFF: hello\r\nid: 4\r\ndata: one\r\n\r\ndata:two\rdata: lines\r\rretry: 5\nid: 6\nevent: x\ndata\n\n\n";
const messages = [
	{ id: "4", data: "one" },
	{ id: "4", data: "two\nlines" },
	{ id: "6", data: "" },
];

describe("event stream parser", () => {
	it("takes a stream apart in one piece", () => {
		expect(new EventStreamParser().push(stream)).toEqual(messages);
	});

	it("takes a stream apart wherever it is cut", () => {
		for (let cut = 1; cut < stream.length; cut++) {
			const parser = new EventStreamParser();
			expect([...parser.push(stream.slice(0, cut)), ...parser.push(stream.slice(cut))]).toEqual(messages);
		}
		const parser = new EventStreamParser();
		expect([...stream].flatMap((character) => parser.push(character))).toEqual(messages);
	});

	it("does not give out a message that has not ended", () => {
		expect(new EventStreamParser().push("data: half\n")).toEqual([]);
	});

	it("keeps the id of an earlier connection", () => {
		expect(new EventStreamParser("9").push("data: a\n\n")).toEqual([{ id: "9", data: "a" }]);
	});

	it("refuses a message that grows beyond all measure", () => {
		const parser = new EventStreamParser();
		expect(() => {
			for (let i = 0; i < 3; i++) parser.push(`data: ${"x".repeat(500_000)}\n`);
		}).toThrow(/longer than/);
	});
});
