import { BulkheadError } from "../api/errors.ts";

/** The user pressed Ctrl-C, or something else broke the command off. The message says what goes on all the same, where something does. */
export class Interrupted extends Error {
	override readonly name = "Interrupted";
	constructor(message = "interrupted") {
		super(message);
	}
}

/** The input ended where an answer was due (Ctrl-D): that is none, and no empty one either. */
export class InputEnded extends BulkheadError {
	constructor() {
		super("bad-input", "the input ended before there was an answer; nothing was changed");
	}
}

/**
 * Asks the daemon for what it does to its end, whoever waits for it: who presses Ctrl-C is told so.
 * @param see the command that shows what became of it
 * @throws Interrupted; what `call` throws
 */
export async function goingOn<T>(see: string, call: () => Promise<T>): Promise<T> {
	try {
		return await call();
	} catch (error) {
		if (!(error instanceof Interrupted)) throw error;
		throw new Interrupted(`interrupted; the daemon goes on with it; see: ${see}`);
	}
}
