import { DatabaseSync } from "node:sqlite";
import { BulkheadError } from "../api/errors.ts";

/** Held as long as the daemon lives; the kernel lets go of it when the daemon ends, however it ends. */
export interface Lock {
	release(): void;
}

/**
 * Makes sure that one daemon alone works on a state directory. It is SQLite's exclusive file lock (fcntl), because
 * Node.js offers none of its own.
 * @throws BulkheadError already-running
 */
export function takeLock(path: string, state: string): Lock {
	const database = new DatabaseSync(path, { timeout: 0 });
	try {
		database.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;");
		return { release: () => database.close() };
	} catch (cause) {
		database.close();
		throw new BulkheadError(
			"already-running",
			`another daemon already works on ${state}; use that one, or give this one another state directory with --state`,
			{ cause },
		);
	}
}
