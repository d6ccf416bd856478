import { createInterface, type Interface } from "node:readline/promises";
import { type Readable, Writable } from "node:stream";
import { stripVTControlCharacters, styleText } from "node:util";
import { InputEnded, Interrupted } from "./interrupted.ts";

export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";
/** Text with styles; the styles are left out where they would only be noise. */
export interface Styled {
	readonly text: string;
	readonly styles: readonly Style[];
}
export type Part = string | Styled;
/** A line that can be printed: its parts stand beside each other. */
export type Line = readonly Part[];

export function styled(text: string, ...styles: Style[]): Styled {
	return { text, styles };
}

/** Control and format characters, lone surrogates, line and paragraph separators: what can move a cursor or turn text around. */
const dangerous = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** Makes text that came from outside harmless and one line long: escape sequences and control characters go. */
export function clean(text: string): string {
	return stripVTControlCharacters(text)
		.replace(/[\t\r\n\v\f\u0085\u2028\u2029]+/g, " ")
		.replace(dangerous, "");
}

/** As `clean`, but for a text of many lines: line feeds and tabs stay. */
export function cleanLines(text: string): string {
	return stripVTControlCharacters(text)
		.replace(/\r\n?/g, "\n")
		.replace(dangerous, (character) => (character === "\n" || character === "\t" ? character : ""));
}

/** JSON in which the same characters are escaped: nothing is lost, and a terminal shows it safely. */
export function toJson(value: unknown, indentation?: number): string {
	return JSON.stringify(value, null, indentation).replace(dangerous, (character) =>
		character === "\n" ? character : character.split("").map(escapeUnit).join(""),
	);
}

function escapeUnit(unit: string): string {
	return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

type Output = Writable & { isTTY?: boolean; columns?: number };
type Input = Readable & { isTTY?: boolean; setRawMode?: (on: boolean) => unknown };
type Environment = Readonly<Record<string, string | undefined>>;

export interface Streams {
	input: Input;
	output: Output;
	errors: Output;
	environment: Environment;
}

/** Where a command prints. Every line goes through `clean`, so that no caller has to think of it. */
export class Terminal {
	readonly streams: Streams;
	readonly #unstyled: boolean;
	#answered = false;

	constructor(streams: Streams) {
		this.streams = streams;
		const { NO_COLOR, TERM } = streams.environment;
		this.#unstyled = (NO_COLOR !== undefined && NO_COLOR !== "") || TERM === "dumb";
	}

	/** True when a person sits there who can be asked. */
	get interactive(): boolean {
		return this.streams.input.isTTY === true && this.streams.errors.isTTY === true;
	}

	/** Whether something was said as JSON already. */
	get answered(): boolean {
		return this.#answered;
	}

	/** Columns of the terminal; undefined when the output goes elsewhere. */
	get width(): number | undefined {
		return this.streams.output.isTTY ? this.streams.output.columns || 80 : undefined;
	}

	/** Whether the locale can show bars and spinners. */
	get unicode(): boolean {
		const { LC_ALL, LC_CTYPE, LANG } = this.streams.environment;
		return /utf-?8/i.test(LC_ALL || LC_CTYPE || LANG || "");
	}

	print(...lines: Line[]): void {
		for (const line of lines) this.streams.output.write(`${this.#render(line, this.streams.output)}\n`);
	}

	/** Prints beside the answer, on standard error. */
	note(...lines: Line[]): void {
		for (const line of lines) this.streams.errors.write(`${this.#render(line, this.streams.errors)}\n`);
	}

	/** One JSON document. */
	json(value: unknown): void {
		this.#answered = true;
		this.streams.output.write(`${toJson(value, 2)}\n`);
	}

	/** One JSON document on a line of its own. */
	jsonLine(value: unknown): void {
		this.#answered = true;
		this.streams.output.write(`${toJson(value)}\n`);
	}

	/**
	 * Asks on standard error, and waits as long as the person takes.
	 * @throws InputEnded; Interrupted, the signal's reason when it aborts
	 */
	async ask(question: Line, signal: AbortSignal): Promise<string> {
		const { input, errors } = this.streams;
		using lines = createInterface({ input, output: errors, terminal: false });
		errors.write(`${this.#render(question, errors)} `);
		return (await lineFrom(lines, signal)).trim();
	}

	/** As `ask`, for what is not to be seen while it is typed. */
	async askSecret(question: Line, signal: AbortSignal): Promise<string> {
		const { input, errors } = this.streams;
		const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
		errors.write(`${this.#render(question, errors)} `);
		try {
			using lines = createInterface({ input, output: nowhere, terminal: true });
			return await lineFrom(lines, signal);
		} finally {
			errors.write("\n");
		}
	}

	#render(line: Line, output: Output): string {
		return line.map((part) => this.#renderPart(part, output)).join("");
	}

	#renderPart(part: Part, output: Output): string {
		if (typeof part === "string") return clean(part);
		const text = clean(part.text);
		if (this.#unstyled || !output.isTTY || part.styles.length === 0) return text;
		return styleText([...part.styles], text, { validateStream: false });
	}
}

/** @throws InputEnded; Interrupted, the signal's reason when it aborts */
async function lineFrom(lines: Interface, signal: AbortSignal): Promise<string> {
	const { promise: brokenOff, reject } = Promise.withResolvers<never>();
	// While it reads key by key, readline gets Ctrl-C instead of the process; unheard it is taken for the end.
	lines.once("SIGINT", () => reject(new Interrupted()));
	// readline alone would wait for ever.
	lines.once("close", () => reject(new InputEnded()));
	try {
		return await Promise.race([lines.question("", { signal }), brokenOff]);
	} catch (error) {
		signal.throwIfAborted();
		throw error;
	}
}

/** A line's text without its styles. */
export function plain(line: Line): string {
	return line.map((part) => (typeof part === "string" ? part : part.text)).join("");
}
