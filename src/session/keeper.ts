import { explain } from "../api/errors.ts";
import type { NewEvent } from "../api/event.ts";
import type { Env } from "./env.ts";

/**
 * Writes down what can also be written down later. A full host disk must not turn a healthy server into a failed one:
 * what cannot be written is told once, kept in memory, and tried again.
 */
export class Keeper {
	private readonly env: Env;
	private readonly unsaved = new Map<string, () => Promise<void>>();
	private readonly tryLater: () => void;

	/** @param tryLater arranges that `retry` is called after a while */
	constructor(env: Env, tryLater: () => void) {
		this.env = env;
		this.tryLater = tryLater;
	}

	has(what: string): boolean {
		return this.unsaved.has(what);
	}

	/** @param write writes the newest version of `what`, and nothing older */
	async keep(what: string, write: () => Promise<void>): Promise<void> {
		const waited = this.unsaved.size > 0;
		this.unsaved.delete(what);
		try {
			await write();
		} catch (error) {
			this.unsaved.set(what, write);
			if (waited) return;
			this.tell(`The ${what} cannot be written, it is tried again: ${explain(error)}`);
			return this.tryLater();
		}
		if (waited) await this.writeAll();
	}

	/** It is on disk after all. */
	forget(what: string): void {
		this.unsaved.delete(what);
	}

	async retry(): Promise<void> {
		if (this.unsaved.size > 0) await this.writeAll();
		if (this.unsaved.size > 0) this.tryLater();
	}

	private async writeAll(): Promise<void> {
		for (const [what, write] of [...this.unsaved]) {
			try {
				await write();
			} catch {
				// Told when it began.
				return;
			}
			this.unsaved.delete(what);
		}
		this.tell("Everything is written down again");
	}

	/** Tells without keeping anything from going on: the history is on the same disk. */
	event(event: Omit<NewEvent, "server">): void {
		try {
			this.env.journal.event(event);
		} catch {
			// Nothing is left to tell it with.
		}
	}

	private tell(text: string): void {
		this.event({ at: this.env.clock.now(), session: null, kind: "daemon", text });
	}
}
