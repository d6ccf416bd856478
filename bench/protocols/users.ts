import { setTimeout as delay } from "node:timers/promises";
import { hostNow } from "../open-loop/clock.ts";
import { Cut } from "./clients/conversation.ts";
import { type Protocol, Refused, type Visit } from "./clients/protocol.ts";
import type { Use } from "./felt.ts";

/** Before a client comes again that was turned away. */
const againMs = 20;

/** Clients of all protocols, each doing one thing after the other until told to stop. */
export class Users implements AsyncDisposable {
	/** What they did, in the order in which it ended. */
	readonly uses: Use[] = [];
	private readonly stopping = new AbortController();
	private readonly working: Promise<void>[] = [];
	private failure: Error | undefined;

	/** @param each clients a protocol */
	constructor(protocols: readonly Protocol[], each: number) {
		for (const protocol of protocols) {
			for (let client = 0; client < each; client++) this.working.push(this.begin(protocol, client));
		}
	}

	/** @throws Error when a client could not go on */
	check(): void {
		if (this.failure) throw this.failure;
	}

	/** Lets each finish what it is at. @throws Error when a client could not go on */
	async stop(): Promise<void> {
		this.stopping.abort();
		await Promise.all(this.working);
		this.check();
	}

	/** As `stop`, and says nothing. */
	async [Symbol.asyncDispose](): Promise<void> {
		this.stopping.abort();
		await Promise.all(this.working);
	}

	/** What a client fails with is kept, for whoever checks: nobody waits for this one meanwhile. */
	private async begin(protocol: Protocol, client: number): Promise<void> {
		await this.work(protocol, client).catch((cause: unknown) => {
			this.failure ??= new Error(`client ${client} of ${protocol.name} failed`, { cause });
		});
	}

	private async work(protocol: Protocol, client: number): Promise<void> {
		while (!this.stopping.signal.aborted) {
			let visit: Visit | undefined;
			const opened = await this.use(protocol, client, "connect", async () => {
				visit = await protocol.visit(protocol.listen);
			});
			if (opened && visit) await this.stay(protocol, client, visit);
			else await delay(againMs);
		}
	}

	private async stay(protocol: Protocol, client: number, visit: Visit): Promise<void> {
		for (let asked = 0; asked < protocol.asksEach && !this.stopping.signal.aborted; asked++) {
			await delay(protocol.thinkMs * (0.5 + Math.random()));
			if (visit.cut) return this.noteIdle(protocol, client, visit.cut);
			if (!(await this.use(protocol, client, "request", async () => await visit.ask()))) {
				// A connection on which an answer was an error may still be there.
				await visit.leave().catch(ignoreCut);
				return;
			}
		}
		await visit.leave().catch(ignoreCut);
	}

	private async use(
		protocol: Protocol,
		client: number,
		kind: "connect" | "request",
		work: () => Promise<void>,
	): Promise<boolean> {
		const began = hostNow();
		const note = (how: string) => {
			this.uses.push({ protocol: protocol.name, client, kind, began, ended: hostNow(), how });
		};
		try {
			await work();
		} catch (error) {
			if (!(error instanceof Cut || error instanceof Refused)) throw error;
			note(error.how);
			return false;
		}
		note("ok");
		return true;
	}

	/** A connection that was ended while nothing was asked for: nobody waited, and the client comes again. */
	private noteIdle({ name }: Protocol, client: number, { how, at }: NonNullable<Visit["cut"]>): void {
		const ended = hostNow() - (performance.now() - at);
		this.uses.push({ protocol: name, client, kind: "idle", began: ended, ended, how });
	}
}

/** The end of a connection that is given up anyway. */
function ignoreCut(error: unknown): void {
	if (!(error instanceof Cut || error instanceof Refused)) throw error;
}
