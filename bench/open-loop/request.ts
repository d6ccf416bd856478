/** One sort of request in the mix. */
export interface RequestKind {
	/** How often it is sent, in proportion to the others. */
	weight: number;
	method: "GET" | "POST";
	/** `{id}` stands for the request's id. */
	path: string;
	/** Bytes of the body that is sent along. */
	sends?: number;
	/**
	 * What makes the answer right: the very bytes that the same path was answered with before the load began (`length`
	 * of them), or a text that matches a regular expression.
	 */
	answer: { same: true; length?: number } | { matches: string };
}

export interface LoadPlan {
	host: string;
	port: number;
	/** Requests a second, evenly spaced, whatever the answers do. */
	rate: number;
	/** Connections that are kept alive and shared; `each`: every request has its own. */
	connections: number | "each";
	kinds: readonly RequestKind[];
	/** Draws the mix: the same seed, the same sequence. */
	seed: number;
	/** Begins every id, so that ids of several loads differ. */
	name: string;
	/** A request without an end is given up after this many milliseconds. */
	deadlineMs: number;
	/** Characters of each answer that are kept. */
	keepText: number;
}

/** All moments are milliseconds of `hostNow`. */
export interface RequestRecord {
	id: string;
	method: "GET" | "POST";
	path: string;
	/** When it should have been sent. */
	due: number;
	/** When the generator took it up; later than `due` only when the generator itself was late. */
	taken: number;
	/** When it was written to a connection; null when it never was. */
	sent: number | null;
	/** When the response began. */
	firstByte: number | null;
	end: number;
	status: number | null;
	/** Bytes of the response's body. */
	received: number;
	/** The response's Content-Length. */
	announced: number | null;
	/** How its connection ended it: null when the response came to its end. */
	error: string | null;
	/** What is wrong with a response that came to its end. */
	wrong: "short" | "other bytes" | null;
	/** Idle connections that turned out to be closed before anything was written to them. */
	stale: number;
	text: string;
}

/** What the generator tells. */
export type FromGenerator =
	| { kind: "started"; at: number }
	/** `open`: requests that are due and not over. */
	| { kind: "records"; records: RequestRecord[]; open: number }
	| { kind: "done" }
	| { kind: "failed"; why: string };

/** What the generator is told. */
export type ToGenerator = { kind: "start"; plan: LoadPlan } | { kind: "stop" };
