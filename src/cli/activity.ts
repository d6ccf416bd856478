import { clean, type Terminal } from "./terminal.ts";
import { formatCoarse } from "./time.ts";
import { truncate } from "./width.ts";

const frames = { unicode: [..."⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"], ascii: [..."|/-\\"] };
const frameMs = 100;
/** What takes less than this is answered before a person wonders. */
const patienceMs = 2000;

/**
 * Shows what is waited for and for how long, once that takes over two seconds and a person looks at it.
 * Standard error, so that the answer stays clean. Disposing of it clears its line.
 */
export class Activity implements Disposable {
	readonly #terminal: Terminal;
	readonly #since = performance.now();
	readonly #timer: NodeJS.Timeout | undefined;
	#text: string;
	#shown = false;

	constructor(terminal: Terminal, text: string, quiet: boolean) {
		this.#terminal = terminal;
		this.#text = text;
		if (!quiet && terminal.streams.errors.isTTY) this.#timer = setInterval(() => this.#draw(), frameMs);
	}

	update(text: string): void {
		this.#text = text;
	}

	#draw(): void {
		const elapsed = performance.now() - this.#since;
		if (elapsed < patienceMs) return;
		const { errors } = this.#terminal.streams;
		const pictures = this.#terminal.unicode ? frames.unicode : frames.ascii;
		const picture = pictures[Math.floor(elapsed / frameMs) % pictures.length];
		const line = truncate(
			`${picture} ${clean(this.#text)} (${formatCoarse(elapsed)})`,
			(errors.columns || 80) - 1,
		);
		errors.write(`\r\u001b[2K${line}`);
		this.#shown = true;
	}

	[Symbol.dispose](): void {
		clearInterval(this.#timer);
		if (this.#shown) this.#terminal.streams.errors.write("\r\u001b[2K");
	}
}

/** Shows that something is under way, as long as it is. */
export async function shown<T>(
	terminal: Terminal,
	what: string,
	quiet: boolean,
	call: () => Promise<T>,
): Promise<T> {
	using _ = new Activity(terminal, what, quiet);
	return await call();
}
