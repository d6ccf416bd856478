import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { InputEnded, Interrupted } from "./interrupted.ts";
import { clean, cleanLines, styled, Terminal, toJson } from "./terminal.ts";

const hostile = "a\u001b[31mred\u001b]0;title\u0007\r\nb\u0000\u0007\u009b2J\u202ec\u200b\ud800d\u2028e\tf";

describe("text from outside", () => {
	it("loses its escape sequences and control characters", () => {
		expect(clean(hostile)).toBe("ared bcd e f");
	});

	it("keeps its lines and tabs where it may have some", () => {
		expect(cleanLines("a\r\nb\tc\u001b[2J\rd\u0008")).toBe("a\nb\tc\nd");
	});

	it("is escaped in JSON, without loss", () => {
		const text = toJson({ hostile }, 2);
		expect(text).toMatch(/^[\n\x20-\x7e]*$/);
		expect(JSON.parse(text)).toEqual({ hostile });
		expect(toJson("é世\u{1f600}")).toBe('"é世\u{1f600}"');
	});
});

function terminal(isTTY: boolean, environment: Record<string, string> = {}) {
	const output = Object.assign(new PassThrough(), { isTTY, columns: 60 });
	const input = new PassThrough();
	return { terminal: new Terminal({ input, output, errors: output, environment }), input, output };
}

describe("terminal", () => {
	it("cleans and styles what it prints", () => {
		const { terminal: tty, output } = terminal(true);
		tty.print([styled("a\u001b[31mb", "bold", "red"), " \u0007c\nd"]);
		expect(String(output.read())).toBe("\u001b[1m\u001b[31mab\u001b[39m\u001b[22m c d\n");
		expect(tty.width).toBe(60);
	});

	it.each([
		[false, {}],
		[true, { NO_COLOR: "1" }],
		[true, { TERM: "dumb" }],
	])("leaves styles out (terminal: %s, %j)", (isTTY, environment) => {
		const { terminal: it, output } = terminal(isTTY, environment);
		it.print([styled("a", "red")]);
		expect(String(output.read())).toBe("a\n");
	});

	it("knows from the locale whether bars can be shown", () => {
		expect(terminal(true, { LANG: "de_DE.UTF-8" }).terminal.unicode).toBe(true);
		expect(terminal(true, { LANG: "de_DE.UTF-8", LC_ALL: "C" }).terminal.unicode).toBe(false);
		expect(terminal(true).terminal.unicode).toBe(false);
	});

	it.each(["ask", "askSecret"] as const)(
		"takes neither the end of the input nor Ctrl-C for an answer (%s)",
		async (how) => {
			const interrupt = new AbortController();
			const asked = (shown: ReturnType<typeof terminal>) => shown.terminal[how](["Who?"], interrupt.signal);
			const empty = terminal(true);
			const answered = asked(empty);
			empty.input.write("\n");
			expect(await answered).toBe("");
			const ended = terminal(true);
			const none = asked(ended);
			ended.input.end();
			await expect(none).rejects.toBeInstanceOf(InputEnded);
			const why = new Interrupted();
			const broken = asked(terminal(true));
			interrupt.abort(why);
			await expect(broken).rejects.toBe(why);
		},
	);
});
