import { rm } from "node:fs/promises";
import { join } from "node:path";
import { explain } from "../../../api/errors.ts";
import { ControlGroup } from "../../../host/cgroup.ts";
import { patience } from "../../../network/front-door/launch.ts";
import { FrontDoor } from "../../../network/front-door/process.ts";
import type { DoorPlan } from "../../../network/plan.ts";
import { type Context, doorGroup } from "../../context.ts";
import { Turns } from "../../turns.ts";
import { destroyGroup } from "./strays.ts";

/** Memory: 10,000 clients that are all served at once, with two buffers of 16 KiB and more each, and uploads. */
const limits = { memoryBytes: 768 * 2 ** 20, cpus: 1, tasks: 64, cpuWeight: 100 };
const retryAfterMs = 2000;
/** One that hangs is replaced as one that has died. */
const { silentForMs, answersAtLastMs } = patience;

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
 * - What runs as it is planned is not touched, unless it hangs.
 * - What it does not take of its server's orders it is told again, until it does.
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
	/** Whether it may not have taken all of its server's orders. */
	private behind = false;
	/** Whether it is being asked how it is. */
	private asked = false;
	/** Whether what runs in its place is known to hang. */
	private hangs = false;
	/** When it answered last, by the monotonic clock. */
	private heardAt = 0;
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

	/** Opens it again when it has died or hangs, and tells it again what it has not taken. Does not wait for its answers. */
	async check(): Promise<void> {
		await this.openWhenEnded();
		if (this.door?.alive() && !this.asked) void this.lookAfter(this.door);
	}

	/** One that was adopted tells nobody of its end. */
	private async openWhenEnded(): Promise<void> {
		// Whoever opens or closes it at this moment sees for himself; a retry comes by itself.
		if (this.turns.busy) return await this.turns.settled();
		if (this.closed || this.waits || !this.door || this.door.alive()) return;
		this.around.say(
			`The front door of ${this.around.server}, port ${this.listen}, has ended; it is opened again`,
		);
		await this.openWhenPossible();
	}

	private async lookAfter(door: FrontDoor): Promise<void> {
		this.asked = true;
		try {
			const answers = await door.answers(silentForMs);
			if (door !== this.door) return;
			if (answers) this.heardAt = performance.now();
			if (answers && this.behind) await this.tellAgain(door);
			if (!answers && performance.now() - this.heardAt >= silentForMs) await this.replaceHanging(door);
		} finally {
			this.asked = false;
		}
	}

	private async replaceHanging(door: FrontDoor): Promise<void> {
		// The daemon itself may have been kept from running meanwhile.
		if ((await door.answers(answersAtLastMs)) || door !== this.door || !door.alive() || this.closed) return;
		this.around.say(
			`The front door of ${this.around.server}, port ${this.listen}, does not answer any more; it is replaced`,
		);
		this.door = undefined;
		this.hangs = true;
		await this.openWhenPossible();
	}

	/** A new session begins: what was known of the service's health is void. */
	async expect(): Promise<void> {
		// One that is being opened for the first time knows nothing yet that could be void, and nobody is to wait for it.
		if (this.turns.busy && !this.door) return;
		await this.openWhenEnded();
		await this.tell(async (door) => {
			if (!door.alive()) return;
			await door.forgetHealth();
			await door.resumeHealth();
		});
	}

	/**
	 * Tells the one that is open what its server's orders have become. One that is closed meanwhile has nothing to say.
	 * @throws Error or DeadlineError when it does not take it; then it is told all of them again by itself
	 */
	async tell(order: (door: FrontDoor) => Promise<void>): Promise<void> {
		const { door } = this;
		if (!door) return;
		try {
			await order(door);
		} catch (error) {
			if (door !== this.door) return;
			this.behind = true;
			throw error;
		}
	}

	private async tellAgain(door: FrontDoor): Promise<void> {
		this.behind = false;
		try {
			await this.tellAll(door);
		} catch {
			// That was told when it began.
			this.behind = true;
			return;
		}
		this.around.say(
			`The front door of ${this.around.server}, port ${this.listen}, does as it was told after all`,
		);
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
		const door = await FrontDoor.ensure(plan, true, this.hangs);
		this.hangs = false;
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
		await this.tellAll(door, () => {
			this.door = door;
			this.behind = false;
			this.heardAt = performance.now();
		});
	}

	/** @param onTold called in the same turn as they still hold: a change that came between would reach neither */
	private async tellAll(door: FrontDoor, onTold: () => void = () => {}): Promise<void> {
		for (;;) {
			const orders = this.around.orders();
			await (orders.held ? door.hold() : door.release());
			await (orders.resting ? door.pauseHealth() : door.resumeHealth());
			if (orders === this.around.orders()) return onTold();
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
