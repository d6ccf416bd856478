const ESC = 0x1b;
const BEL = 0x07;
const CAN = 0x18;
const SUB = 0x1a;
/** Bytes after ESC that begin a string for the terminal itself: DCS, SOS, OSC, PM, APC (ECMA-48, 5.6). */
const stringStarts = new Set([..."PX]^_"].map((character) => character.charCodeAt(0)));
/** Ends of control sequences that do more than draw: `t` moves windows and asks for titles, `i` prints. */
const forbiddenFinals = new Set([..."ti"].map((character) => character.charCodeAt(0)));
const longestSequence = 64;

type State = "ground" | "escape" | "control" | "string" | "string-escape" | "lead-byte";

/**
 * Lets a console's bytes through to a terminal, except for what a hostile guest could use against the person who
 * looks: clipboard, title and other operating system commands, device control strings, window operations, printing,
 * and the 8-bit forms of the same. Drawing (colours, cursor, screens) stays, because full-screen programs need it.
 */
export class ConsoleFilter {
	#state: State = "ground";
	#held: number[] = [];

	push(chunk: Uint8Array): Buffer {
		const passed: number[] = [];
		for (const byte of chunk) this.#take(byte, passed);
		return Buffer.from(passed);
	}

	#take(byte: number, passed: number[]): void {
		const state = this.#state;
		if (state === "ground") this.#ground(byte, passed);
		else if (state === "lead-byte") this.#leadByte(byte, passed);
		else if (state === "escape") this.#escape(byte, passed);
		else if (state === "control") this.#control(byte, passed);
		else this.#string(byte, passed, state === "string-escape");
	}

	#ground(byte: number, passed: number[]): void {
		if (byte === ESC) this.#hold("escape", byte);
		// In UTF-8 the 8-bit control characters begin with this byte.
		else if (byte === 0xc2) this.#hold("lead-byte", byte);
		else passed.push(byte);
	}

	#leadByte(byte: number, passed: number[]): void {
		this.#state = "ground";
		if (byte >= 0x80 && byte <= 0x9f) this.#held = [];
		else if (byte === ESC || byte === 0xc2) this.#restart(byte);
		else this.#release(byte, passed);
	}

	#escape(byte: number, passed: number[]): void {
		if (stringStarts.has(byte)) this.#drop("string");
		else if (byte === 0x5b) this.#hold("control", byte);
		else if (byte === ESC) this.#restart(byte);
		else this.#release(byte, passed);
	}

	#control(byte: number, passed: number[]): void {
		if (byte === ESC) this.#restart(byte);
		else if (byte >= 0x40 && byte <= 0x7e) {
			if (forbiddenFinals.has(byte)) this.#drop("ground");
			else this.#release(byte, passed);
		} else if (byte < 0x20 || byte > 0x7e || this.#held.length >= longestSequence) this.#drop("ground");
		else this.#hold("control", byte);
	}

	/** A string ends with BEL, with ESC and a backslash, or when it is cancelled. */
	#string(byte: number, passed: number[], escaped: boolean): void {
		if (byte === BEL || byte === CAN || byte === SUB) this.#drop("ground");
		else if (byte === ESC) this.#state = "string-escape";
		else if (escaped && byte === 0x5c) this.#drop("ground");
		else if (escaped) {
			// A terminal ends the string here and takes this as the next sequence.
			this.#hold("escape", ESC);
			this.#take(byte, passed);
		}
	}

	#hold(state: State, byte: number): void {
		this.#state = state;
		this.#held.push(byte);
	}

	#release(byte: number, passed: number[]): void {
		passed.push(...this.#held, byte);
		this.#drop("ground");
	}

	#drop(state: State): void {
		this.#state = state;
		this.#held = [];
	}

	#restart(byte: number): void {
		this.#held = [];
		this.#hold(byte === ESC ? "escape" : "lead-byte", byte);
	}
}

/** Brings a terminal back from what a guest's program may have left behind: colours, hidden cursor, other screen, mouse and paste modes. */
export const terminalReset =
	"\u001b[0m\u001b[?25h\u001b[?1049l\u001b[?1000l\u001b[?1002l\u001b[?1003l\u001b[?1006l\u001b[?2004l\u001b[?1l\u001b>\u001b(B\u001b[r\u001b[?7h";
