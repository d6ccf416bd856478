import { closeSync, openSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { BulkheadError, explain } from "../api/errors.ts";
import { accepts } from "../host/accepts.ts";
import { errorCode } from "../host/files.ts";

/** Held as long as the daemon lives; the kernel lets go of it when the daemon ends, however it ends. */
export interface Lock {
	release(): void;
}

/** The kernel takes a connection at once, however busy the daemon is. */
const answersWithinMs = 2000;

/** SQLITE_BUSY and SQLITE_LOCKED; the upper bits of an extended code tell more. */
const heldByAnother = [5, 6];

/**
 * Makes sure that one daemon alone works on a state directory. It is SQLite's exclusive file lock (fcntl), because
 * Node.js offers none of its own.
 * @throws BulkheadError already-running; host-lacks or disk-full when the file cannot be used at all
 */
export function takeLock(path: string, state: string): Lock {
	let database: DatabaseSync | undefined;
	try {
		database = new DatabaseSync(path, { timeout: 0 });
		// Nothing is ever written: with its journal in memory the lock is had on a full disk, too.
		database.exec("PRAGMA journal_mode = MEMORY; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;");
		const held = database;
		return { release: () => held.close() };
	} catch (cause) {
		database?.close();
		throw heldByAnother.includes(resultCode(cause))
			? alreadyRunning(state, cause)
			: unusable(path, state, cause);
	}
}

/**
 * Makes sure of it by another sign, too: a lock of fcntl is lost without a word when its process closes any descriptor of
 * the file (fcntl(2)), and two daemons were seen on one directory once.
 * @param socket of the API: while a daemon lives it takes connections there
 * @throws BulkheadError already-running
 */
export async function refuseBesideAnother(socket: string, state: string): Promise<void> {
	if (await accepts({ path: socket }, answersWithinMs)) throw alreadyRunning(state, undefined);
}

function resultCode(error: unknown): number {
	return error instanceof Error && "errcode" in error ? Number(error.errcode) & 0xff : 0;
}

function alreadyRunning(state: string, cause: unknown): BulkheadError {
	const mend = "use that one, or give this one another state directory with --state";
	return new BulkheadError("already-running", `another daemon already works on ${state}; ${mend}`, { cause });
}

function unusable(path: string, state: string, cause: unknown): BulkheadError {
	return stateTrouble(state, systemError(path) ?? cause);
}

/** SQLite says that a file cannot be opened, not why. Nobody holds the lock here, so closing the file frees none. */
function systemError(path: string): unknown {
	try {
		closeSync(openSync(path, "a"));
		return undefined;
	} catch (error) {
		return error;
	}
}

/** The error that tells why a state directory cannot be written to, and what to do. */
export function stateTrouble(state: string, cause: unknown): BulkheadError {
	const words = explain(cause);
	const full = errorCode(cause) === "ENOSPC" || words.includes("disk is full");
	const readOnly = errorCode(cause) === "EROFS" || words.includes("readonly database");
	const mend = full
		? "make room there, or move the state directory to a larger disk"
		: readOnly
			? "it is on a file system that is read-only: mount it writable, or choose another with --state"
			: "make it a folder that root can write to, or choose another with --state";
	return new BulkheadError(full ? "disk-full" : "host-lacks", `${state} cannot be used; ${mend}`, { cause });
}
