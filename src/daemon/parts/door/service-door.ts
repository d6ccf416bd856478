import { rm } from "node:fs/promises";
import { join } from "node:path";
import { explain } from "../../../api/errors.ts";
import { ControlGroup } from "../../../host/cgroup.ts";
import { FrontDoor } from "../../../network/front-door/process.ts";
import type { DoorPlan } from "../../../network/plan.ts";
import { type Context, doorGroup } from "../../context.ts";
import { Turns } from "../../turns.ts";
import { destroyGroup } from "./strays.ts";

/** Memory: 10,000 clients that are all served at once, with two buffers of 16 KiB and more each, and uploads. */
const limits = { memoryBytes: 768 * 2 ** 20, cpus: 1, tasks: 64, cpuWeight: 100 };
const retryAfterMs = 2000;

/** What all front doors of a server are told, also those that are opened later. Replaced as a whole when it changes. */
export interface Orders {
	/** Users wait, as a session is being replaced. */
	held: boolean;
	/** Nothing is behind them: they do not ask how it is. */
	resting: boolean;
}

/** What the front doors of one server have in common. */
export interface Surroundings {
	readonly server: string;
	readonly context: Context;
	orders(): Orders;
	/** @returns the plan of the service that is published on a port now, without its group and folder */
	plan(listen: number): Omit<DoorPlan, "groups" | "folder"> | undefined;
	say(text: string): void;
}

/**
 * The front door of one published service, kept open until it is closed.
 *
 * INVARIANTS
 * - It opens, opens again and closes one at a time: two at once would find their port taken by each other.
 * - Who asks for it while it is being opened finds none; before anybody finds it, it has had its server's orders.
 * - What runs as it is planned is not touched.
 */
export class ServiceDoor {
	/** Port of the host. */
	readonly listen: number;
	private readonly around: Surroundings;
	private readonly turns = new Turns();
	private door: FrontDoor | undefined;
	private retry: NodeJS.Timeout | undefined;
	/** For good: nothing that comes late opens it again. */
	private closed = false;
	/** What stood in the way last. */
	private trouble = "";
	/** Counts openings and closings: the end of a front door that was replaced or closed is no news. */
	private turn = 0;

	constructor(listen: number, around: Surroundings) {
		this.listen = listen;
		this.around = around;
	}

	/** The one that is open; it may have ended since it was looked at. */
	get current(): FrontDoor | undefined {
		return this.door;
	}

	/** Whether something stood in its way, and it is tried again by itself. */
	get waits(): boolean {
		return this.retry !== undefined;
	}

	/** Opens it as it is published now. @throws BulkheadError port-in-use, and others of FrontDoor.ensure */
	async open(): Promise<void> {
		await this.turns.take(async () => await this.openNow());
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
				this.around.say(`The front door of ${this.around.server} cannot be opened yet: ${trouble}`);
			this.trouble = trouble;
			clearTimeout(this.retry);
			this.retry = setTimeout(() => void this.openWhenPossible(), retryAfterMs);
		}
	}

	/** Opens it again when it has died; one that was adopted tells nobody of its end. */
	async check(): Promise<void> {
		// Whoever opens or closes it at this moment sees for himself; a retry comes by itself.
		if (this.turns.busy) return await this.turns.settled();
		if (this.closed || this.waits || !this.door || this.door.alive()) return;
		this.around.say(
			`The front door of ${this.around.server}, port ${this.listen}, has ended; it is opened again`,
		);
		await this.openWhenPossible();
	}

	/** A new session begins: what was known of the service's health is void. */
	async expect(): Promise<void> {
		// One that is being opened for the first time knows nothing yet that could be void, and nobody is to wait for it.
		if (this.turns.busy && !this.door) return;
		await this.check();
		if (!this.door?.alive()) return;
		await this.door.forgetHealth();
		await this.door.resumeHealth();
	}

	/** Ends it for good, and removes all that it has. @throws BulkheadError when it does not end */
	async close(): Promise<void> {
		this.closed = true;
		this.cancelRetry();
		await this.turns.take(async () => await this.closeNow());
	}

	private cancelRetry(): void {
		clearTimeout(this.retry);
		this.retry = undefined;
	}

	private async openNow(): Promise<void> {
		if (this.closed) return;
		this.cancelRetry();
		const plan = await this.plan();
		if (!plan || this.isOpenAs(plan)) return;
		const turn = ++this.turn;
		this.door = undefined;
		const door = await FrontDoor.ensure(plan, true);
		await this.tellAndKeep(door);
		door.onEnd((code) => {
			if (turn !== this.turn) return;
			const { server } = this.around;
			this.around.say(
				`The front door of ${server}, port ${this.listen}, ended with code ${code}; it is opened again`,
			);
			void this.openWhenPossible();
		});
	}

	/**
	 * Gives a front door the orders of its server, which may change meanwhile; from then on it gets them as they change.
	 * Also one that was adopted: an earlier daemon may have held users back, and ended before it let them through.
	 */
	private async tellAndKeep(door: FrontDoor): Promise<void> {
		for (;;) {
			const orders = this.around.orders();
			await (orders.held ? door.hold() : door.release());
			await (orders.resting ? door.pauseHealth() : door.resumeHealth());
			if (orders !== this.around.orders()) continue;
			// In the same turn: a change that came between would reach neither.
			this.door = door;
			return;
		}
	}

	private isOpenAs(plan: DoorPlan): boolean {
		return this.door?.alive() === true && JSON.stringify(this.door.plan) === JSON.stringify(plan);
	}

	private async plan(): Promise<DoorPlan | undefined> {
		const plan = this.around.plan(this.listen);
		if (!plan) return undefined;
		const group = await ControlGroup.create(this.groupPath, limits, this.around.context.groups);
		return { ...plan, groups: group.entries, folder: this.folder };
	}

	private async closeNow(): Promise<void> {
		this.turn++;
		this.door = undefined;
		await FrontDoor.endIn(this.folder);
		await destroyGroup(this.groupPath, this.around.context);
		await rm(this.folder, { recursive: true, force: true });
	}

	private get folder(): string {
		return join(this.around.context.paths.door(this.around.server), `${this.listen}`);
	}

	private get groupPath(): string {
		return doorGroup(this.around.context.paths, this.around.server, this.listen);
	}
}
