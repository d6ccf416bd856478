/** What a server waits for: to be started again, to be switched off, that it is its turn to start, or that a crashed session has had its time. */
export type Due = { kind: "due"; what: "relaunch" | "force" | "turn" | "aftermath"; token: number };

/** The one timer of a server's session: whatever was set before means nothing any more. */
export class Timers {
	private readonly later: (afterMs: number, due: Due) => void;
	/** Timers that were set before carry an older token. */
	private token = 0;

	/** @param later hands over what is due after a while */
	constructor(later: (afterMs: number, due: Due) => void) {
		this.later = later;
	}

	/** Comes back as `due` after a while, unless a later call of `due` or `cancel` comes first. */
	due(what: Due["what"], afterMs: number): void {
		this.later(afterMs, { kind: "due", what, token: ++this.token });
	}

	cancel(): void {
		this.token++;
	}

	isCurrent({ token }: Due): boolean {
		return token === this.token;
	}
}
