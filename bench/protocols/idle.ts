import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { Lab } from "../lab.ts";
import { hostNow } from "../open-loop/clock.ts";
import { isPrepared } from "../recovery/bulkhead.ts";
import { drill } from "../recovery/drill.ts";
import type { Verdict } from "../recovery/judge.ts";
import { inWords } from "../recovery/plot.ts";
import { tcp } from "./clients/tcp.ts";
import { http } from "./clients/web.ts";

/** Connections are opened and asked this many at a time: what is measured is not how many can be opened at once. */
const atOnce = 300;
const answerWithinMs = 60_000;
const preparedWithinMs = 120_000;
/** Of those that are to wait: with fewer nobody knows how it is with thousands. */
const leastWaiting = 1000;

/** What became of thousands of connections. Milliseconds. */
export interface IdleFelt {
	connections: number;
	/** http: kept alive and idle through a panic. */
	kept: { closed: number; answers: Record<string, number>; outageMs: number };
	/** tcp: opened while the server was away, and silent until they were answered. */
	waited: {
		/** Opened before the next session served anybody. */
		opened: number;
		answers: Record<string, number>;
		outageMs: number;
		/** From when the next session was ready until the last one was answered. */
		lastAfterMs: number;
	};
}

/** What a connection came to when it was asked something, and when. */
interface Answer {
	how: "answered" | "something else" | "reset" | "closed" | "silent";
	at: number;
}

/** Asks something on a connection, which may be there already or not yet. */
async function answerOf(socket: Socket, request: string, beginning: string): Promise<Answer> {
	const { promise, resolve } = Promise.withResolvers<Answer["how"]>();
	const onEnd = () => resolve("closed");
	if (socket.destroyed || socket.readableEnded) onEnd();
	socket.once("data", (chunk: Buffer) => {
		resolve(chunk.toString("latin1").startsWith(beginning) ? "answered" : "something else");
	});
	const onReset = () => resolve("reset");
	socket.once("end", onEnd).once("close", onEnd).once("error", onReset);
	const timer = setTimeout(() => resolve("silent"), answerWithinMs);
	socket.write(request);
	const how = await promise;
	clearTimeout(timer);
	socket.off("end", onEnd).off("close", onEnd).off("error", onReset);
	return { how, at: hostNow() };
}

function open(port: number): Socket {
	// Its end is looked at when it is asked.
	return connect(port, "127.0.0.1").on("error", () => {});
}

const page = "GET /page HTTP/1.1\r\nHost: services.example.test\r\n\r\n";

async function askAll(sockets: readonly Socket[], request: string, beginning: string) {
	const all: Answer[] = [];
	for (let from = 0; from < sockets.length; from += atOnce) {
		const some = sockets.slice(from, from + atOnce);
		all.push(...(await Promise.all(some.map((socket) => answerOf(socket, request, beginning)))));
	}
	return all;
}

function countOf(all: readonly Answer[]): Record<string, number> {
	const count: Record<string, number> = { answered: 0 };
	for (const { how } of all) count[how] = (count[how] ?? 0) + 1;
	return count;
}

function inText(count: Record<string, number>): string {
	return Object.entries(count)
		.map(([how, many]) => `${many} ${how}`)
		.join(", ");
}

function isAnswered({ how }: Answer): boolean {
	return how === "answered";
}

async function keptThrough(
	lab: Lab,
	server: string,
	connections: number,
	signal: AbortSignal,
): Promise<IdleFelt["kept"]> {
	const sockets: Socket[] = [];
	try {
		while (sockets.length < connections) {
			const some = Array.from({ length: Math.min(atOnce, connections - sockets.length) }, () =>
				open(http.listen),
			);
			sockets.push(...some);
			const answers = await askAll(some, page, "HTTP/1.1 200");
			if (!answers.every(isAnswered)) throw new Error("not every connection could be opened");
		}
		console.log(`  http: ${connections} connections are kept alive; the kernel panics`);
		const { outageMs } = await drill(lab, server, "panic", signal);
		const closed = sockets.filter((socket) => socket.destroyed || socket.readableEnded).length;
		return { closed, answers: countOf(await askAll(sockets, page, "HTTP/1.1 200")), outageMs };
	} finally {
		for (const socket of sockets) socket.destroy();
	}
}

/** proc(5): the state follows the name, which may hold brackets. @throws Error when there is no such process */
async function untilFrozen(pid: number, signal: AbortSignal): Promise<void> {
	while (!/\) T [^)]*$/.test(await readFile(`/proc/${pid}/stat`, "utf8")))
		await delay(2, undefined, { signal });
}

/** A frozen QEMU is noticed after a second or two: time to come in thousands while nobody serves. */
async function waitedFor(
	lab: Lab,
	server: string,
	connections: number,
	signal: AbortSignal,
): Promise<IdleFelt["waited"]> {
	const sockets: Socket[] = [];
	try {
		const { session } = await lab.client.call("show", { server }, null);
		const drilled = drill(lab, server, "freeze", signal);
		drilled.catch(() => {});
		// What came before that would be with the session that fails.
		await untilFrozen(session?.pid ?? 0, signal);
		const answers: Promise<Answer>[] = [];
		const openedAt: number[] = [];
		while (sockets.length < connections) {
			const some = Array.from({ length: Math.min(atOnce, connections - sockets.length) }, () =>
				open(tcp.listen),
			);
			sockets.push(...some);
			await Promise.all(some.map(async (socket) => await once(socket, "connect", { signal })));
			openedAt.push(...some.map(() => hostNow()));
			answers.push(...some.map(async (socket) => await answerOf(socket, "held\n", "held\n")));
		}
		console.log(`  tcp: ${connections} connections wait for a frozen server`);
		const { at, outageMs } = await drilled;
		const all = await Promise.all(answers);
		const came = all.filter(isAnswered).map((answer) => answer.at);
		const first = Math.min(...came.filter((moment) => moment > at));
		return {
			opened: openedAt.filter((moment) => moment < first).length,
			answers: countOf(all),
			outageMs,
			lastAfterMs: Math.round(Math.max(...came) - (at + outageMs)),
		};
	} finally {
		for (const socket of sockets) socket.destroy();
	}
}

/** Thousands of connections, idle through a panic and waiting through a freeze. */
export async function oneIdle(
	lab: Lab,
	server: string,
	connections: number,
	signal: AbortSignal,
): Promise<IdleFelt> {
	const kept = await keptThrough(lab, server, connections, signal);
	console.log(`  http: ${kept.closed} were closed; afterwards: ${inText(kept.answers)}`);
	await lab.until(server, isPrepared, preparedWithinMs, signal);
	const waited = await waitedFor(lab, server, connections, signal);
	console.log(
		`  tcp: ${waited.opened} were there before the next session served; ${inText(waited.answers)}, the last answer ${inWords(waited.lastAfterMs)} after it was ready\n`,
	);
	return { connections, kept, waited };
}

export function idleVerdicts({ connections, kept, waited }: IdleFelt): Verdict[] {
	const all = kept.closed === 0 && kept.answers.answered === connections;
	const served = waited.answers.answered === connections;
	const enough = waited.opened >= Math.min(connections, leastWaiting);
	return [
		{
			promise: `${connections} idle connections over http outlive a panic, and the next request of each is answered`,
			broken: all ? null : `${kept.closed} closed; ${inText(kept.answers)}`,
		},
		{
			promise: `${connections} connections over tcp that come, ${waited.opened} of them while the server is away, are all served`,
			broken: !served ? inText(waited.answers) : enough ? null : "too few came while it was away",
		},
	];
}
