import { Agent, type ClientRequest, type IncomingMessage, request } from "node:http";
import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { hostNow } from "./clock.ts";
import { randomFrom } from "./random.ts";
import type { FromGenerator, LoadPlan, RequestKind, RequestRecord, ToGenerator } from "./request.ts";

/**
 * The load generator: a process of its own, started by load.ts, so that nothing else that a bench does delays it.
 *
 * INVARIANTS
 * - A request is due at its time, whatever became of those before it (open loop). When all connections are busy it waits
 *   for one, and that wait is part of its latency.
 * - Nothing is ever sent twice. The one exception sends nothing: an idle connection that had been closed before anything
 *   was written to it is left, and the request goes to another.
 */

const reportEveryMs = 100;
/** A body of any size is the beginning of this. */
const bodyStore = Buffer.from(Array.from({ length: 2 ** 20 }, (_, i) => 32 + ((i * 31 + (i >> 8)) % 95)));

class Generator {
	private readonly plan: LoadPlan;
	private readonly agent: Agent;
	/** Answers that were given before the load began, by path. */
	private readonly references = new Map<string, Buffer>();
	private readonly open = new Set<Exchange>();
	private finished: RequestRecord[] = [];
	private random: () => number;
	private number = 0;
	private stopped = false;

	constructor(plan: LoadPlan) {
		this.plan = plan;
		this.random = randomFrom(plan.seed);
		this.agent =
			plan.connections === "each"
				? new Agent({ keepAlive: false })
				: // First in, first out: every connection is used in turn, and none is idle for long.
					new Agent({ keepAlive: true, maxSockets: plan.connections, scheduling: "fifo" });
	}

	/** Asks for every path whose answers are to be the same, one after the other. */
	async prepare(): Promise<void> {
		for (const kind of this.plan.kinds) {
			if (!("same" in kind.answer) || this.references.has(kind.path)) continue;
			const answer = await this.reference(kind.path);
			const { length = answer.length } = kind.answer;
			if (answer.length !== length)
				throw new Error(`${kind.path} has ${answer.length} bytes and should have ${length}`);
			this.references.set(kind.path, answer);
		}
	}

	async run(): Promise<void> {
		const start = hostNow() + 20;
		tell({ kind: "started", at: start });
		const reports = setInterval(() => this.report(), reportEveryMs);
		const due = () => start + (this.number * 1000) / this.plan.rate;
		while (!this.stopped) {
			while (due() <= hostNow()) this.take(due());
			await delay(Math.max(1, due() - hostNow()));
		}
		while (this.open.size > 0) await delay(10);
		clearInterval(reports);
		this.report();
		this.agent.destroy();
	}

	stop(): void {
		this.stopped = true;
	}

	private take(due: number): void {
		const kind = draw(this.plan.kinds, this.random());
		const id = `${this.plan.name}-${++this.number}`;
		const exchange = new Exchange(this.plan, this.agent, kind, id, due, this.references.get(kind.path));
		this.open.add(exchange);
		// What happened to idle connections meanwhile is heard of before this one is written.
		setImmediate(() =>
			exchange.send((record) => {
				this.open.delete(exchange);
				this.finished.push(record);
			}),
		);
	}

	private report(): void {
		tell({ kind: "records", records: this.finished, open: this.open.size });
		this.finished = [];
	}

	private async reference(path: string): Promise<Buffer> {
		const { host, port } = this.plan;
		const response = await fetch(`http://${host}:${port}${path}`, { signal: AbortSignal.timeout(30_000) });
		if (response.status !== 200) throw new Error(`${path} is answered with ${response.status}`);
		const answer = Buffer.from(await response.arrayBuffer());
		const announced = response.headers.get("content-length");
		if (announced === null)
			throw new Error(`${path} is answered without Content-Length: a short answer could not be told`);
		return answer;
	}
}

/** One request and what becomes of it. */
class Exchange {
	private readonly plan: LoadPlan;
	private readonly agent: Agent;
	private readonly kind: RequestKind;
	private readonly reference: Buffer | undefined;
	private readonly record: RequestRecord;
	private differs = false;
	private done: ((record: RequestRecord) => void) | undefined;
	private deadline: NodeJS.Timeout | undefined;
	private request: ClientRequest | undefined;
	/** Bytes that its connection had received before. */
	private receivedBefore = 0;

	constructor(
		plan: LoadPlan,
		agent: Agent,
		kind: RequestKind,
		id: string,
		due: number,
		reference: Buffer | undefined,
	) {
		this.plan = plan;
		this.agent = agent;
		this.kind = kind;
		this.reference = reference;
		const path = kind.path.replace("{id}", id);
		this.record = { id, method: kind.method, path, due, taken: 0, ...nothingYet() };
	}

	send(done: (record: RequestRecord) => void): void {
		this.done = done;
		this.record.taken = hostNow();
		this.deadline = setTimeout(
			() => this.request?.destroy(new Error(`no end within ${this.plan.deadlineMs} ms`)),
			Math.max(1, this.record.due + this.plan.deadlineMs - hostNow()),
		);
		this.try();
	}

	private try(): void {
		const { host, port } = this.plan;
		const { method, path } = this.record;
		const body = this.kind.sends === undefined ? undefined : bodyStore.subarray(0, this.kind.sends);
		const headers = body ? { "Content-Length": body.length } : {};
		const attempt = request({ host, port, method, path, headers, agent: this.agent });
		this.request = attempt;
		let stale = false;
		attempt.on("socket", (socket) => {
			stale = attempt.reusedSocket && (socket.destroyed || !socket.writable || socket.readableEnded);
			if (stale) this.leave(attempt);
			else this.written(socket);
		});
		attempt.on("response", (response) => this.receive(response));
		attempt.on("error", (error: NodeJS.ErrnoException) => {
			if (!stale) this.finish(error.code ? `${error.code}: ${error.message}` : error.message);
		});
		attempt.end(body);
	}

	/** Nothing has been written yet. */
	private leave(attempt: ClientRequest): void {
		this.record.stale++;
		attempt.destroy();
		setImmediate(() => this.try());
	}

	private written(socket: Socket): void {
		this.receivedBefore = socket.bytesRead;
		const note = () => {
			this.record.sent = hostNow();
		};
		if (socket.connecting) socket.once("connect", note);
		else note();
	}

	private receive(response: IncomingMessage): void {
		const { record } = this;
		record.firstByte = hostNow();
		record.status = response.statusCode ?? null;
		const announced = response.headers["content-length"];
		record.announced = announced === undefined ? null : Number(announced);
		let text = "";
		response.on("data", (chunk: Buffer) => {
			if (this.reference && record.status === 200) {
				const expected = this.reference.subarray(record.received, record.received + chunk.length);
				if (!chunk.equals(expected)) this.differs = true;
			}
			if (!this.reference || text.length < this.plan.keepText) text += chunk.toString("latin1");
			record.received += chunk.length;
		});
		response.on("end", () => {
			record.text = text.slice(0, this.plan.keepText);
			if (response.complete) this.complete(text);
			else this.finish("the connection ended before the response");
		});
		response.on("error", (error) => this.finish(error.message));
	}

	private complete(text: string): void {
		const { record, kind, reference } = this;
		const { announced, received } = record;
		const tooFew = received < (announced ?? 0) || received < (reference?.length ?? 0);
		if (record.status === 200) {
			if (tooFew) record.wrong = "short";
			else if (reference) record.wrong = this.differs ? "other bytes" : null;
			else if ("matches" in kind.answer && !new RegExp(kind.answer.matches).test(text))
				// Without an announced length the text alone tells whether all of it came.
				record.wrong = announced === null ? "short" : "other bytes";
		}
		this.finish(null);
	}

	private finish(error: string | null): void {
		const { done, record } = this;
		if (!done) return;
		this.done = undefined;
		clearTimeout(this.deadline);
		record.end = hostNow();
		record.error = error;
		// A response that broke off within its headers had begun as well.
		const socket = this.request?.socket;
		if (record.firstByte === null && socket && socket.bytesRead > this.receivedBefore)
			record.firstByte = record.end;
		done(record);
	}
}

function nothingYet() {
	return {
		sent: null,
		firstByte: null,
		end: 0,
		status: null,
		received: 0,
		announced: null,
		error: null,
		wrong: null,
		stale: 0,
		text: "",
	};
}

function draw(kinds: readonly RequestKind[], random: number): RequestKind {
	let left = random * kinds.reduce((sum, { weight }) => sum + weight, 0);
	for (const kind of kinds) {
		left -= kind.weight;
		if (left < 0) return kind;
	}
	throw new Error("a load needs at least one kind of request");
}

function tell(message: FromGenerator): void {
	process.send?.(message, undefined, {}, () => {});
}

/** The last word; the process ends once it has been said. */
function tellLast(message: FromGenerator): void {
	process.send?.(message, undefined, {}, () => process.disconnect?.());
}

// Ctrl-C reaches the whole group: the bench decides when the load ends. Without the bench there is nobody to tell.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => {});
process.on("disconnect", () => process.exit(0));

let generator: Generator | undefined;
process.on("message", (message: ToGenerator) => {
	if (message.kind === "stop") {
		generator?.stop();
		return;
	}
	const made = new Generator(message.plan);
	generator = made;
	made
		.prepare()
		.then(() => made.run())
		.then(
			() => tellLast({ kind: "done" }),
			(error: unknown) => tellLast({ kind: "failed", why: String(error) }),
		);
});
