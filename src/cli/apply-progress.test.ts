import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import type { Ongoing } from "../client/progress.ts";
import { createProgressView, progressTitle } from "./apply-progress.ts";
import { Terminal } from "./terminal.ts";

function lines(progress: Ongoing[]): string {
	const output = new PassThrough();
	const terminal = new Terminal({ input: new PassThrough(), output, errors: output, environment: {} });
	const view = createProgressView(terminal, false);
	for (const each of progress) view.show(each);
	return output.read(output.readableLength).toString();
}

describe("progress", () => {
	it("gives a log a line for what is new", () => {
		const step = (text: string, fraction: number | null) =>
			({ type: "step", subject: "server a", text, fraction }) as const;
		const told = [
			step("copies", 0),
			step("copies", 0.1),
			step("copies", 0.3),
			step("copies", 0.49),
			step("boots\u0007", null),
		];
		expect(lines([...told, { type: "done", subject: "server a" }])).toBe(
			"server a: copies\nserver a: copies (25 %)\nserver a: boots\nserver a: done\n",
		);
	});

	it("gives a terminal a bar", () => {
		const subject = { name: "template debian-web", text: "packs\u001b[2J", fraction: 0.42 };
		expect(progressTitle(subject, true)).toBe("template debian-web   ████████░░░░░░░░░░░░   42 %  packs");
		expect(progressTitle({ ...subject, fraction: 7 }, false)).toBe(
			"template debian-web   ####################  100 %  packs",
		);
		expect(progressTitle({ ...subject, fraction: null }, true)).toBe("template debian-web  packs");
	});
});
