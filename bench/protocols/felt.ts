import type { Panic, Verdict } from "../recovery/judge.ts";
import type { Protocol } from "./clients/protocol.ts";

/** One thing that a client did. Moments are milliseconds of `hostNow`. */
export interface Use {
	protocol: Protocol["name"];
	client: number;
	/** A connection up to its first answer; something asked on one; or the end of one on which nothing was asked. */
	kind: "connect" | "request" | "idle";
	began: number;
	ended: number;
	/** "ok", how the connection ended, or what the service answered instead. */
	how: string;
}

/** A failure that was made, and when the server was prepared for the next one. */
export interface Drill extends Panic {
	over: number;
}

/** What the clients of one protocol felt of one drill. Milliseconds, from the panic on where nothing else is said. */
export interface Felt {
	protocol: Protocol["name"];
	session: number;
	/** Things done while the drill lasted, and how many of each other end. */
	done: number;
	failed: Record<string, number>;
	/** Asked of the session that failed, and not over by then. */
	inFlight: { answered: number; ended: number; lastAnswerMs: number | null; lastEndMs: number | null };
	/** Connections on which nothing was asked that were ended, and the last of these ends. */
	idle: { ended: number; lastMs: number | null };
	/** Connections that were opened while there was no session: how many, how many failed, and the longest wait. */
	connects: { opened: number; failed: number; longestMs: number | null };
	/** Things that failed for clients whom the next session had served already. */
	failedAfterwards: number;
	/** Until each client was served by the next session: the one that was last. Null when one was not. */
	servedAgainMs: number | null;
}

/** No request waits for a timeout: the shortest that there is in a front door is 30 s. */
export const mostEndMs = 5000;

const most = (values: readonly number[]) => (values.length === 0 ? null : round(Math.max(...values)));
const round = (ms: number) => Math.round(ms * 10) / 10;

/** What the clients of a protocol felt of a drill. */
export function feltOf(all: readonly Use[], protocol: Protocol["name"], drill: Drill): Felt {
	const { at, noticedMs, session, over } = drill;
	const noticed = at + noticedMs;
	const uses = all.filter((use) => use.protocol === protocol && use.ended >= at && use.began <= over);
	const asked = uses.filter(({ kind }) => kind !== "idle");
	const ok = (use: Use) => use.how === "ok";
	const again = servedAgain(asked, noticed);
	const served = Math.max(noticed, ...again.values());
	// An attempt that began before the failure was noticed may have been with the old session already.
	const connects = asked.filter(
		({ kind, began }) => kind === "connect" && began >= noticed && began < served,
	);
	const answered = asked.filter((use) => ok(use) && use.began < noticed && use.ended > noticed);
	const isBack = ({ client, began }: Use) => began >= (again.get(client) ?? Number.POSITIVE_INFINITY);
	// Also what was asked after the notice on a connection to the old session: nobody could answer it.
	const ended = asked.filter(
		(use) => !ok(use) && !isBack(use) && (use.kind === "request" || use.began < noticed),
	);
	const idle = uses.filter(({ kind }) => kind === "idle");
	const sinceAt = (some: readonly Use[]) => most(some.map((use) => use.ended - at));
	return {
		protocol,
		session,
		done: asked.filter(ok).length,
		failed: countOf(asked.filter((use) => !ok(use))),
		inFlight: {
			answered: answered.length,
			ended: ended.length,
			lastAnswerMs: sinceAt(answered),
			lastEndMs: sinceAt(ended),
		},
		idle: { ended: idle.length, lastMs: sinceAt(idle) },
		connects: {
			opened: connects.length,
			failed: connects.filter((use) => !ok(use)).length,
			longestMs: most(connects.map((use) => use.ended - use.began)),
		},
		failedAfterwards: asked.filter((use) => !ok(use) && isBack(use)).length,
		servedAgainMs: again.size < clientsOf(all, protocol) ? null : round(served - at),
	};
}

/** When each client got its first answer from the next session. */
function servedAgain(asked: readonly Use[], noticed: number): Map<number, number> {
	const first = new Map<number, number>();
	for (const { client, ended, how } of asked) {
		if (how === "ok" && ended > noticed) first.set(client, Math.min(ended, first.get(client) ?? ended));
	}
	return first;
}

function clientsOf(all: readonly Use[], protocol: Protocol["name"]): number {
	return new Set(all.filter((use) => use.protocol === protocol).map(({ client }) => client)).size;
}

function countOf(uses: readonly Use[]): Record<string, number> {
	const count: Record<string, number> = {};
	for (const { how } of uses) count[how] = (count[how] ?? 0) + 1;
	return count;
}

/**
 * @param all what was used, the time between the drills included
 * @param warm whether requests that are answered by the next session have a limit too: cold, they wait for a boot
 */
export function judge(
	all: readonly Use[],
	felt: readonly Felt[],
	drills: readonly Drill[],
	warm: boolean,
): Verdict[] {
	const listed = (broken: readonly string[]) => (broken.length === 0 ? null : broken.slice(0, 10).join("; "));
	const name = ({ protocol, session }: Felt) => `${protocol}, session ${session}`;
	const tooLate = felt.flatMap((one) => {
		const { lastEndMs, lastAnswerMs } = one.inFlight;
		const longest = Math.max(lastEndMs ?? 0, warm ? (lastAnswerMs ?? 0) : 0);
		return longest > mostEndMs ? [`${name(one)}: ${longest} ms`] : [];
	});
	const refused = felt
		.filter(({ connects }) => connects.failed > 0)
		.map((one) => `${name(one)}: ${one.connects.failed} of ${one.connects.opened}`);
	const getFailed = all.filter(({ protocol, how }) => protocol === "http" && how !== "ok");
	const unserved = felt.filter(({ servedAgainMs }) => servedAgainMs === null).map(name);
	const afterwards = felt
		.filter(({ failedAfterwards }) => failedAfterwards > 0)
		.map((one) => `${name(one)}: ${one.failedAfterwards}`);
	const during = ({ ended }: Use) => drills.some(({ at, over }) => ended >= at && ended <= over);
	const between = all.filter((use) => use.how !== "ok" && !during(use));
	return [
		{
			promise: `no request in flight waits for a timeout: each has its answer or its end within ${mostEndMs / 1000} s`,
			broken: listed(tooLate),
		},
		{ promise: "no connection fails that is opened while the server is away", broken: listed(refused) },
		{
			promise: "no GET over http fails",
			broken: listed(getFailed.map(({ how, client }) => `client ${client}: ${how}`)),
		},
		{ promise: "every client is served again", broken: listed(unserved) },
		{
			promise: "nothing fails that is asked of the next session, or between the drills",
			broken: listed([
				...afterwards,
				...between.map(({ protocol, kind, how }) => `${protocol} ${kind}: ${how}`),
			]),
		},
	];
}
