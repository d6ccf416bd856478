import { setTimeout as delay } from "node:timers/promises";
import { BulkheadError } from "../api/errors.ts";
import type { ServerView } from "../api/server.ts";
import { DaemonUnreachable } from "../client/transport.ts";
import type { Context } from "./context.ts";

const pollMs = 200;
/** A daemon that is replaced is back within seconds. */
const awayMs = 30_000;

/** What a look at the server says: reached, not yet, or that it will not be reached and why. */
export type Verdict = "reached" | "waiting" | { never: string };

export interface Wait {
	judge: (view: ServerView) => Verdict;
	/** Told of each look at the server. */
	onLook?: (view: ServerView) => void;
	/** Milliseconds after which waiting ends. */
	longestMs: number;
	/** What was waited for, such as `dc1 to run`. */
	what: string;
}

/**
 * Looks at a server again and again until it is where it should be. A daemon that is replaced meanwhile does not matter.
 * @throws BulkheadError when it will not get there, or not in time
 */
export async function waitFor(context: Context, server: string, wait: Wait): Promise<ServerView> {
	const end = performance.now() + wait.longestMs;
	let seen = performance.now();
	let reason = "";
	while (performance.now() < end) {
		const view = await look(context, server, performance.now() - seen > awayMs);
		if (view) {
			seen = performance.now();
			reason = view.reason;
			wait.onLook?.(view);
			const verdict = wait.judge(view);
			if (verdict === "reached") return view;
			if (verdict !== "waiting") throw new BulkheadError("guest-did-not-answer", verdict.never);
		}
		await pause(pollMs, context.signal);
	}
	const why = reason ? `: ${reason}` : "";
	const message = `waited long enough for ${wait.what}${why}; see \`bulkhead show ${server}\` and \`bulkhead events\``;
	throw new BulkheadError("guest-did-not-answer", message);
}

/** @returns undefined when the daemon is away, which is an error only when `mustAnswer` */
async function look(context: Context, server: string, mustAnswer: boolean): Promise<ServerView | undefined> {
	try {
		return await context.client.call("show", { server }, null, { signal: context.signal });
	} catch (error) {
		const mayReturn = error instanceof DaemonUnreachable && error.why !== "forbidden";
		if (!mayReturn || mustAnswer) throw error;
		return undefined;
	}
}

/** @throws the signal's reason when it aborts */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
	await delay(ms, undefined, { signal }).catch(() => {
		throw signal.reason;
	});
}

/** Judges a server that is to run in a session newer than `after` (0 for any). */
export function running(after: number): (view: ServerView) => Verdict {
	return (view) => {
		if (view.state === "failed") return { never: `${view.name} failed: ${reasonOf(view)}` };
		if (view.state === "running") return (view.session?.number ?? 0) > after ? "reached" : "waiting";
		const givenUp = view.state === "stopped" && view.wanted === "stopped";
		return givenUp ? { never: `${view.name} was stopped meanwhile: ${reasonOf(view)}` } : "waiting";
	};
}

/** Judges a server that is to stop. */
export function stopped(view: ServerView): Verdict {
	if (view.state === "stopped") return "reached";
	if (view.state === "failed") return { never: `${view.name} failed: ${reasonOf(view)}` };
	return view.wanted === "running" ? { never: `${view.name} was started again meanwhile` } : "waiting";
}

function reasonOf(view: ServerView): string {
	return view.reason || "no reason was given; see `bulkhead events`";
}

/** A server's boot deadline is at most an hour, and a recovery may boot it several times. */
export const longestWaitMs = 2 * 3_600_000;
