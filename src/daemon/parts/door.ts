import { explain } from "../../api/errors.ts";
import type { Felt } from "../../api/incident.ts";
import { ControlGroup } from "../../host/cgroup.ts";
import { FrontDoor } from "../../network/front-door/process.ts";
import { waitForKnock } from "../../network/knock.ts";
import type { DoorPlan } from "../../network/plan.ts";
import type { Sandbox } from "../../network/sandbox.ts";
import type { Door } from "../../session/env.ts";
import type { StoredServer } from "../../store/servers.ts";
import { type Context, doorGroup } from "../context.ts";
import { completeServicesOf, doorUid } from "../resolve.ts";

/** Memory: 10,000 clients that are all served at once, with two buffers of 16 KiB and more each, and uploads. */
const limits = { memoryBytes: 768 * 2 ** 20, cpus: 1, tasks: 64, cpuWeight: 100 };
const retryAfterMs = 2000;

/** The front door of one server, kept open as long as the server publishes anything. */
export class HostDoor implements Door {
	server: StoredServer;
	private readonly context: Context;
	private readonly sandbox: Sandbox;
	private door: FrontDoor | undefined;
	private retry: NodeJS.Timeout | undefined;
	/** Opening and closing, one at a time: two at once would find their ports taken by each other. */
	private queue: Promise<void> = Promise.resolve();
	private queued = 0;
	/** For good: nothing that comes late opens it again. */
	private closed = false;
	/** What stood in the way last. */
	private trouble = "";
	/** Counts openings and closings: the end of a front door that was replaced or closed is no news. */
	private turn = 0;

	constructor(server: StoredServer, context: Context, sandbox: Sandbox) {
		this.server = server;
		this.context = context;
		this.sandbox = sandbox;
	}

	/** Opens it as the server's definition says, or closes it when nothing is published. @throws BulkheadError port-in-use */
	async open(): Promise<void> {
		await this.inTurn(async () => await this.openNow());
	}

	/** Opens it, now or as soon as that is possible; what stands in the way is told once. */
	async openWhenPossible(): Promise<void> {
		try {
			await this.open();
			this.trouble = "";
		} catch (error) {
			if (this.closed) return;
			const trouble = explain(error);
			if (trouble !== this.trouble)
				this.say(`The front door of ${this.server.name} cannot be opened yet: ${trouble}`);
			this.trouble = trouble;
			clearTimeout(this.retry);
			this.retry = setTimeout(() => void this.openWhenPossible(), retryAfterMs);
		}
	}

	/** Ends it for good. */
	async close(): Promise<void> {
		this.closed = true;
		this.cancelRetry();
		await this.inTurn(async () => await this.closeNow());
	}

	private async inTurn(work: () => Promise<void>): Promise<void> {
		this.queued++;
		const done = this.queue.then(work).finally(() => {
			this.queued--;
		});
		this.queue = done.catch(() => {});
		await done;
	}

	private cancelRetry(): void {
		clearTimeout(this.retry);
		this.retry = undefined;
	}

	private async openNow(): Promise<void> {
		if (this.closed) return;
		this.cancelRetry();
		const turn = ++this.turn;
		const plan = await this.plan();
		if (!plan) return await this.closeNow();
		const door = await FrontDoor.ensure(plan);
		this.door = door;
		// An earlier daemon may have held users back, and ended before it let them through.
		await door.release();
		door.onEnd((code) => {
			if (turn !== this.turn) return;
			this.say(`The front door of ${this.server.name} ended with code ${code}; it is opened again`);
			void this.openWhenPossible();
		});
	}

	private async closeNow(): Promise<void> {
		this.turn++;
		this.door = undefined;
		await FrontDoor.endIn(this.context.paths.door(this.server.name));
		await this.group().destroy();
	}

	/** Opens it again when it has died; one that was adopted tells nobody of its end. */
	async check(): Promise<void> {
		// Whoever opens or closes it at this moment sees for himself; a retry comes by itself.
		if (this.queued > 0) return await this.queue;
		if (this.closed || this.retry !== undefined || !this.door || this.door.alive()) return;
		this.say(`The front door of ${this.server.name} has ended; it is opened again`);
		await this.openWhenPossible();
	}

	async health(): Promise<Record<string, "up" | "down" | "unknown">> {
		return (await this.door?.health()) ?? {};
	}

	async expect(): Promise<void> {
		await this.check();
		if (!this.door?.alive()) return;
		await this.door.forgetHealth();
		await this.door.resumeHealth();
	}

	async rest(): Promise<void> {
		await this.door?.pauseHealth();
	}

	async activity(): Promise<{ current: number; total: number } | null> {
		return (await this.door?.activity()) ?? null;
	}

	async knock(signal: AbortSignal): Promise<void> {
		const { network } = this.server.definition;
		if (!network) throw new Error("the server has no network");
		const ports = completeServicesOf(this.server).map(({ port }) => port);
		await waitForKnock(this.sandbox.namespace, network.address, ports, signal);
	}

	async dropHopeless(): Promise<void> {
		const dropped = await this.door?.dropHopeless().catch((error) => {
			this.say(`Requests that are with the failed session could not be looked at: ${explain(error)}`);
		});
		if (dropped && dropped.repeated > 0)
			this.say(`${dropped.repeated} requests that had already been asked again are not asked a third time`);
	}

	async cut(): Promise<void> {
		const { network } = this.server.definition;
		if (network) await this.sandbox.cut(network.address);
	}

	async drain(deadlineMs: number, signal: AbortSignal): Promise<boolean> {
		return (await this.door?.drain(deadlineMs, signal)) ?? true;
	}

	async release(): Promise<void> {
		await this.door?.release();
	}

	/** What each client did, by service; nothing when no front door is open. @throws Error or DeadlineError when it does not answer */
	async traffic(): ReturnType<FrontDoor["traffic"]> {
		return (await this.door?.traffic()) ?? [];
	}

	async felt(from: number, to: number): Promise<Felt | null> {
		return this.door ? await this.door.felt(from, to) : null;
	}

	private async plan(): Promise<DoorPlan | undefined> {
		const { network } = this.server.definition;
		const services = completeServicesOf(this.server);
		if (!network || services.length === 0) return undefined;
		const group = await ControlGroup.create(this.groupPath(), limits, this.context.groups);
		return {
			server: this.server.name,
			namespace: this.sandbox.namespace,
			address: network.address,
			uid: doorUid(this.server),
			groups: group.entries,
			folder: this.context.paths.door(this.server.name),
			services,
		};
	}

	private group(): ControlGroup {
		return ControlGroup.at(this.groupPath(), this.context.groups);
	}

	private groupPath(): string {
		return doorGroup(this.context.paths, this.server.name);
	}

	private say(text: string): void {
		this.context.log.warn(text);
		this.context.history.append({
			at: Date.now(),
			server: this.server.name,
			session: null,
			kind: "front-door",
			text,
		});
	}
}
