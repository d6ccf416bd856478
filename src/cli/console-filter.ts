const ESC = 0x1b;
const BEL = 0x07;
const CAN = 0x18;
const SUB = 0x1a;
/** Bytes after ESC that begin a string for the terminal itself: DCS, SOS, OSC, PM, APC (ECMA-48, 5.6), and screen's title. */
const stringStarts = new Set([..."PX]^_k"].map((character) => character.charCodeAt(0)));
/** Takes a terminal out of UTF-8, where the second bytes of letters would be control characters (ECMA-35, 15.4). */
const otherCoding = 0x25;
/** Ends of control sequences that do more than draw: `t` moves windows and asks for titles, `i` prints. */
const forbiddenFinals = new Set([..."ti"].map((character) => character.charCodeAt(0)));
const longestSequence = 64;

type State = "ground" | "escape" | "control" | "string" | "string-escape" | "lead-byte";

/**
 * Lets a console's bytes through to a terminal, except for what a hostile guest could use against the person who
 * looks: clipboard, title and other operating system commands, device control strings, window operations, printing,
 * and the 8-bit forms of the same. Drawing (colours, cursor, screens) stays, because full-screen programs need it.
 * A sequence is held until its end: a terminal sees it whole and with nothing in between, or not at all.
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
		else if (state === "escape" || state === "control") this.#sequence(state, byte, passed);
		else this.#string(byte, passed, state === "string-escape");
	}

	#ground(byte: number, passed: number[]): void {
		if (byte === ESC) this.#hold("escape", byte);
		// In UTF-8 the 8-bit control characters begin with this byte.
		else if (byte === 0xc2) this.#hold("lead-byte", byte);
		else passed.push(byte);
	}

	#leadByte(byte: number, passed: number[]): void {
		if (byte >= 0xa0 && byte <= 0xbf) this.#release(byte, passed);
		else {
			this.#drop("ground");
			// Without its second byte it is nothing.
			if (byte < 0x80 || byte > 0x9f) this.#ground(byte, passed);
		}
	}

	/** What a terminal does with any byte within a sequence (ECMA-48, 5.4, and as VT500 does it). */
	#sequence(state: "escape" | "control", byte: number, passed: number[]): void {
		if (byte === ESC) {
			this.#drop("ground");
			this.#hold("escape", byte);
		} else if (byte === CAN || byte === SUB) this.#drop("ground");
		// Obeyed at once, and the sequence goes on after it.
		else if (byte < 0x20) passed.push(byte);
		else if (byte < 0x7f) {
			if (state === "escape") this.#escape(byte, passed);
			else this.#control(byte, passed);
		}
	}

	#escape(byte: number, passed: number[]): void {
		const [, intermediate] = this.#held;
		if (byte < 0x30) this.#collect("escape", byte);
		else if (intermediate === otherCoding) this.#drop("ground");
		else if (intermediate !== undefined) this.#release(byte, passed);
		else if (stringStarts.has(byte)) this.#drop("string");
		else if (byte === 0x5b) this.#hold("control", byte);
		else this.#release(byte, passed);
	}

	#control(byte: number, passed: number[]): void {
		if (byte < 0x40) this.#collect("control", byte);
		else if (forbiddenFinals.has(byte)) this.#drop("ground");
		else this.#release(byte, passed);
	}

	#collect(state: State, byte: number): void {
		if (this.#held.length >= longestSequence) this.#drop("ground");
		else this.#hold(state, byte);
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
}

/** Brings a terminal back from what a guest's program may have left behind: colours, hidden cursor, other screen, mouse and paste modes. */
export const terminalReset =
	"\u001b[0m\u001b[?25h\u001b[?1049l\u001b[?1000l\u001b[?1002l\u001b[?1003l\u001b[?1006l\u001b[?2004l\u001b[?1l\u001b>\u001b(B\u001b[r\u001b[?7h";
