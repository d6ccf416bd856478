import { rm } from "node:fs/promises";
import { join } from "node:path";
import { explain } from "../../api/errors.ts";
import type { Felt } from "../../api/incident.ts";
import { addressesOf } from "../../network/addresses.ts";
import type { Answer } from "../../network/front-door/freshness.ts";
import type { FrontDoor } from "../../network/front-door/process.ts";
import { doorFiles, readRecord } from "../../network/front-door/record.ts";
import { type Clients, clientsOf, tellAskers, tellClients } from "../../network/inbound/farewell.ts";
import { waitForKnock } from "../../network/knock.ts";
import { usualShareOf } from "../../network/pace.ts";
import type { DoorPlan, ServicePlan } from "../../network/plan.ts";
import type { Sandbox } from "../../network/sandbox.ts";
import type { Door } from "../../session/env.ts";
import type { StoredServer } from "../../store/servers.ts";
import type { Context } from "../context.ts";
import { completeServicesOf, inboundServers, watchdog, watchedServicesOf } from "../published.ts";
import { doorUid, sandboxAddressOf } from "../resolve.ts";
import { Turns } from "../turns.ts";
import { answersOfAll, feltOfAll, type Healths, healthOfAll } from "./door/answers.ts";
import { CheckShares } from "./door/check-shares.ts";
import { packetsInto, untilNobodyIsConnected, usedPortsOf } from "./door/routed.ts";
import { type Orders, ServiceDoor, type Surroundings } from "./door/service-door.ts";
import { endStrays } from "./door/strays.ts";
import { together } from "./door/together.ts";

/**
 * The front doors of one server: one for each service that it publishes, each a process of its own, so that letting one
 * out or taking one back touches no user of another. To the supervisor they are one.
 *
 * INVARIANTS
 * - What is asked of all is asked of all at once: a server that publishes much does not recover more slowly for it.
 * - Those that are new are opened before any other is touched, and are closed again when one cannot be opened.
 */
export class HostDoor implements Door {
	private definition: StoredServer;
	private readonly context: Context;
	private readonly sandbox: Sandbox;
	private readonly around: Surroundings;
	/** By their ports on the host. */
	private readonly doors = new Map<number, ServiceDoor>();
	private readonly shares = new CheckShares();
	private readonly turns = new Turns();
	private readonly telling = new Turns();
	private readonly tellingAskers = new Turns();
	/** Aborted at the next failure, and when this is closed. */
	private nextFailure = new AbortController();
	private orders: Orders = { held: false, resting: false };
	/** For good: nothing that comes late opens one again. */
	private closed = false;
	/** What earlier daemons left has been looked for. */
	private swept = false;
	/** Aborted when another definition holds. */
	private outdated = new AbortController();

	constructor(server: StoredServer, context: Context, sandbox: Sandbox) {
		this.definition = server;
		this.context = context;
		this.sandbox = sandbox;
		this.around = {
			server: server.name,
			context,
			orders: () => this.orders,
			plan: (listen) => this.plan(listen),
			say: (text) => this.say(text),
		};
	}

	get server(): StoredServer {
		return this.definition;
	}

	/** What is published changes with `open`; whom a sleeping server is woken by, at once. */
	set server(server: StoredServer) {
		this.definition = server;
		this.outdated.abort();
		this.outdated = new AbortController();
	}

	// ---- opening and closing

	/**
	 * Opens a front door for each service that the server's definition publishes, and closes the others.
	 * @throws BulkheadError port-in-use; then those that are new are closed again
	 */
	async open(): Promise<void> {
		await this.turns.take(async () => {
			if (this.closed) return;
			await this.sweep();
			const { fresh, old } = this.add();
			try {
				await together(fresh.map((door) => door.open()));
			} catch (error) {
				await this.remove(fresh);
				throw error;
			}
			// What stood in the way of one before is no trouble of this change.
			await together(old.map((door) => (door.waits ? door.openWhenPossible() : door.open())));
			await this.remove(this.unwanted());
		});
	}

	/** Opens them, now or each as soon as that is possible; what stands in the way is told once. */
	async openWhenPossible(): Promise<void> {
		await this.turns.take(async () => {
			if (this.closed) return;
			await this.sweep();
			const { fresh, old } = this.add();
			await together([...fresh, ...old].map((door) => door.openWhenPossible()));
			await this.remove(this.unwanted()).catch((error) => this.say(explain(error)));
		});
	}

	/**
	 * Closes those at these ports of the host, though the server's definition still has them: another server is about to.
	 * `open()` opens them again. @returns whether there were any
	 */
	async giveUp(listens: readonly number[]): Promise<boolean> {
		return await this.turns.take(async () => {
			const given = this.all().filter(({ listen }) => listens.includes(listen));
			await this.remove(given);
			return given.length > 0;
		});
	}

	/** Ends them for good. */
	async close(): Promise<void> {
		this.closed = true;
		this.nextFailure.abort();
		// At once, so that none of them is tried again.
		const closing = this.all().map((door) => door.close());
		await together([...closing, this.turns.settled(), this.telling.settled(), this.tellingAskers.settled()]);
		await this.turns.take(async () => await this.remove(this.all()));
	}

	/** Opens those again that have died or hang, and tells those again that have not done as they were told. */
	async check(): Promise<void> {
		await together(this.all().map((door) => door.check()));
	}

	/** @returns those of published services: new ones, and those that were there before */
	private add(): { fresh: ServiceDoor[]; old: ServiceDoor[] } {
		const listens = this.listens();
		const old = this.all().filter(({ listen }) => listens.includes(listen));
		const fresh = listens
			.filter((listen) => !this.doors.has(listen))
			.map((listen) => new ServiceDoor(listen, this.around));
		for (const door of fresh) this.doors.set(door.listen, door);
		return { fresh, old };
	}

	private unwanted(): ServiceDoor[] {
		const listens = this.listens();
		return this.all().filter(({ listen }) => !listens.includes(listen));
	}

	private async remove(doors: readonly ServiceDoor[]): Promise<void> {
		for (const { listen } of doors) {
			this.doors.delete(listen);
			this.shares.forget(listen);
		}
		await together(doors.map((door) => door.close()));
		if (this.doors.size > 0) return;
		await rm(this.context.paths.door(this.server.name), { recursive: true, force: true });
	}

	/** Once: later ones are all known. */
	private async sweep(): Promise<void> {
		if (this.swept) return;
		await this.recallShares();
		try {
			await endStrays(this.context, this.server.name, new Set(this.listens()));
			this.swept = true;
		} catch (error) {
			// A port that it holds is told of when somebody wants it.
			this.say(`What is left of an earlier front door of ${this.server.name} stays: ${explain(error)}`);
		}
	}

	/** What earlier daemons began goes on as it is. */
	private async recallShares(): Promise<void> {
		for (const service of this.services()) {
			const folder = join(this.context.paths.door(this.server.name), `${service.listen}`);
			// What cannot be read keeps that front door from being taken on, and is told there.
			const record = await readRecord(doorFiles(folder)).catch(() => undefined);
			if (record) this.shares.of(service, record.shares?.[0] ?? usualShareOf(service.listen));
		}
	}

	// ---- what the supervisor asks of all

	async health(): Promise<Healths> {
		return (await this.look()).services;
	}

	/** What each found, by its port of the host or `watchdog`: one service may be published several times. */
	async healthByDoor(): Promise<ReadonlyMap<number, Healths>> {
		const found = await this.ask(
			async (door) => [door.plan.services[0]?.listen ?? watchdog, await door.health()] as const,
		);
		return new Map(found);
	}

	/** Of all together, and how fresh it is. */
	async look(): Promise<{ services: Healths; answers: Record<string, Answer> }> {
		const found = await this.ask((door) => door.look());
		return {
			services: healthOfAll(found.map(({ health }) => health)),
			answers: answersOfAll(found.map(({ answers }) => answers)),
		};
	}

	async expect(): Promise<void> {
		this.orders = { ...this.orders, resting: false };
		await together(this.all().map((door) => door.expect()));
	}

	async rest(): Promise<void> {
		this.orders = { ...this.orders, resting: true };
		await this.tell((door) => door.pauseHealth());
	}

	async activity(): Promise<{ current: number; total: number } | null> {
		const all = await this.askUsed((door) => door.activity());
		const routed = await packetsInto(this.server, this.sandbox.namespace);
		if (all.length === 0 && routed === null) return null;
		const sum = (what: "current" | "total") => all.reduce((total, one) => total + one[what], 0);
		return { current: sum("current"), total: sum("total") + (routed ?? 0) };
	}

	/** A change of what is published begins it anew: who came in between and waits is seen then. */
	async knock(signal: AbortSignal): Promise<void> {
		for (;;) {
			const outdated = this.outdated.signal;
			try {
				return await this.knockNow(AbortSignal.any([signal, outdated]));
			} catch (error) {
				if (signal.aborted || !outdated.aborted) throw error;
			}
		}
	}

	private async knockNow(signal: AbortSignal): Promise<void> {
		const { network } = this.server.definition;
		if (!network) throw new Error("the server has no network");
		const own = [sandboxAddressOf(this.server)];
		const ports = usedPortsOf(this.server);
		const { namespace } = this.sandbox;
		await waitForKnock({ namespace, addresses: addressesOf(network), ports, own }, signal);
	}

	async dropHopeless(): Promise<void> {
		const dropped = await this.ask((door) => door.dropHopeless()).catch((error) => {
			this.say(`Requests that are with the failed session could not be looked at: ${explain(error)}`);
			return [];
		});
		const repeated = dropped.reduce((sum, one) => sum + one.repeated, 0);
		if (repeated > 0)
			this.say(`${repeated} requests that had already been asked again are not asked a third time`);
	}

	async cut(): Promise<void> {
		const { network } = this.server.definition;
		if (!network) return;
		// Who is listed talks to the session that has failed: the next one has no packets yet.
		const [clients] = await Promise.all([this.routedClients(), this.sandbox.cut(network.address)]);
		// Beside what follows: nobody who waits for the next session waits for it.
		void this.telling.take(
			async () =>
				await tellClients(this.sandbox.namespace, clients.connected).catch((error) => this.sayUntold(error)),
		);
		this.tellAskers(clients.asking);
	}

	/** When the next session is seen to serve. Who still waits for an earlier one is listed again. */
	private tellAskers(asking: readonly string[]): void {
		this.nextFailure.abort();
		this.nextFailure = new AbortController();
		const { signal } = this.nextFailure;
		const untold = (error: unknown) => {
			if (!signal.aborted) this.sayUntold(error);
		};
		void this.tellingAskers.take(
			async () => await tellAskers(this.sandbox.namespace, asking, signal).catch(untold),
		);
	}

	/** Those who talk to it without a front door: no connection of the sandbox's own tells them. None for most servers. */
	private async routedClients(): Promise<Clients> {
		const nobody = { connected: [], asking: [] };
		const { network, allow = [] } = this.server.definition;
		if (!network || (allow.length === 0 && inboundServers([this.server]).length === 0)) return nobody;
		const own = [sandboxAddressOf(this.server)];
		return await clientsOf(this.sandbox.namespace, addressesOf(network), own).catch((error) => {
			this.sayUntold(error);
			return nobody;
		});
	}

	private sayUntold(error: unknown): void {
		this.say(`Clients of ${this.server.name} were not told that its session has gone: ${explain(error)}`);
	}

	async drain(deadlineMs: number, signal: AbortSignal): Promise<boolean> {
		const end = performance.now() + deadlineMs;
		this.orders = { ...this.orders, held: true };
		// All of them before any is waited for: one that is left alone must not be used again meanwhile.
		await this.tell((door) => door.hold());
		const stop = new AbortController();
		const either = AbortSignal.any([signal, stop.signal]);
		const left = await this.ask(async (door) => {
			try {
				return await door.untilLeft(end - performance.now(), either);
			} catch (error) {
				// When one does not answer, nobody waits for the others.
				if (stop.signal.aborted) return false;
				if (this.opened().includes(door)) stop.abort();
				throw error;
			}
		});
		return (
			left.every(Boolean) && (await untilNobodyIsConnected(this.server, this.sandbox.namespace, end, signal))
		);
	}

	async release(): Promise<void> {
		this.orders = { ...this.orders, held: false };
		await this.tell((door) => door.release());
	}

	/** What each client did, by service. A front door that does not answer is told of, and counts when it does. */
	async traffic(): ReturnType<FrontDoor["traffic"]> {
		const all = await Promise.allSettled(this.opened().map(async (door) => await door.traffic()));
		return all.flatMap((each) => {
			if (each.status === "fulfilled") return each.value;
			this.context.log.warn(
				{ err: each.reason, server: this.server.name },
				"the traffic of a service could not be read",
			);
			return [];
		});
	}

	async felt(from: number, to: number): Promise<Felt | null> {
		return feltOfAll(await this.askUsed((door) => door.felt(from, to)));
	}

	/** Asks those that users come through. */
	private async askUsed<T>(what: (door: FrontDoor) => Promise<T>): Promise<T[]> {
		const asked = await this.ask(async (door) => (door.plan.services.length > 0 ? [await what(door)] : []));
		return asked.flat();
	}

	/** Tells all that are open, at once, what the orders have become. @throws what they do not take; each is told it again then */
	private async tell(order: (door: FrontDoor) => Promise<void>): Promise<void> {
		await together(this.all().map((door) => door.tell(order)));
	}

	/**
	 * Asks all that are open, at once. One that is closed meanwhile has nothing to say.
	 * @throws what the others throw
	 */
	private async ask<T>(what: (door: FrontDoor) => Promise<T>): Promise<T[]> {
		const one = async (door: FrontDoor): Promise<T[]> => {
			try {
				return [await what(door)];
			} catch (error) {
				if (this.opened().includes(door)) throw error;
				return [];
			}
		};
		return (await together(this.opened().map(one))).flat();
	}

	// ---- small things

	private all(): ServiceDoor[] {
		return [...this.doors.values()];
	}

	private opened(): FrontDoor[] {
		return this.all().flatMap(({ current }) => current ?? []);
	}

	private services(): ServicePlan[] {
		return completeServicesOf(this.server);
	}

	/** Ports of the host, each with a front door of its own, and `watchdog` where something is only asked whether it is well. */
	private listens(): number[] {
		const listens = this.services().map(({ listen }) => listen);
		return watchedServicesOf(this.server).length > 0 ? [...listens, watchdog] : listens;
	}

	private plan(listen: number): Omit<DoorPlan, "groups" | "folder"> | undefined {
		const { network } = this.server.definition;
		const services = this.services()
			.filter((service) => service.listen === listen)
			.map((service) => ({ ...service, share: this.shares.of(service) }));
		const watched = listen === watchdog ? watchedServicesOf(this.server) : [];
		if (!network || services.length + watched.length === 0) return undefined;
		return {
			server: this.server.name,
			namespace: this.sandbox.namespace,
			address: network.address,
			from: sandboxAddressOf(this.server),
			uid: doorUid(this.server),
			...{ services, watched },
		};
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
