import { explain } from "../../api/errors.ts";
import type { Felt } from "../../api/incident.ts";
import { ControlGroup } from "../../host/cgroup.ts";
import { FrontDoor } from "../../network/front-door/process.ts";
import type { DoorPlan } from "../../network/plan.ts";
import type { Sandbox } from "../../network/sandbox.ts";
import type { Door } from "../../session/env.ts";
import type { StoredServer } from "../../store/servers.ts";
import { type Context, groupRoot } from "../context.ts";
import { completeServicesOf, doorUid } from "../resolve.ts";

const limits = { memoryBytes: 256 * 2 ** 20, cpus: 1, tasks: 64, cpuWeight: 100 };
const reopenAfterMs = 500;

/** The front door of one server, kept open as long as the server publishes anything. */
export class HostDoor implements Door {
	server: StoredServer;
	private readonly context: Context;
	private readonly sandbox: Sandbox;
	private door: FrontDoor | undefined;
	private reopening: NodeJS.Timeout | undefined;
	/** Counts openings and closings: the end of a front door that was replaced or closed is no news. */
	private turn = 0;

	constructor(server: StoredServer, context: Context, sandbox: Sandbox) {
		this.server = server;
		this.context = context;
		this.sandbox = sandbox;
	}

	/** Opens it as the server's definition says, or closes it when nothing is published. @throws BulkheadError port-in-use */
	async open(): Promise<void> {
		clearTimeout(this.reopening);
		const turn = ++this.turn;
		const plan = await this.plan();
		if (!plan) return await this.close();
		const door = await FrontDoor.ensure(plan);
		this.door = door;
		door.onEnd((code) => {
			if (turn !== this.turn) return;
			this.say(`The front door of ${this.server.name} ended with code ${code}; it is opened again`);
			this.reopen();
		});
	}

	async close(): Promise<void> {
		clearTimeout(this.reopening);
		this.turn++;
		this.door = undefined;
		await FrontDoor.endIn(this.context.paths.door(this.server.name));
		await this.group().destroy();
	}

	/** Opens it again when it has died; one that was adopted tells nobody of its end. */
	async check(): Promise<void> {
		if (this.door && !this.door.alive()) {
			this.say(`The front door of ${this.server.name} has ended; it is opened again`);
			await this.open();
		}
	}

	async health(): Promise<Record<string, "up" | "down" | "unknown">> {
		return (await this.door?.health()) ?? {};
	}

	async expect(): Promise<void> {
		await this.check();
		await this.door?.forgetHealth();
	}

	async cut(): Promise<void> {
		const { network } = this.server.definition;
		if (network) await this.sandbox.cut(network.address);
	}

	async felt(from: number, to: number): Promise<Felt | null> {
		return this.door ? await this.door.felt(from, to) : null;
	}

	private reopen(): void {
		this.reopening = setTimeout(() => {
			this.open().catch((error) => {
				this.say(`The front door of ${this.server.name} could not be opened: ${explain(error)}`);
				this.reopen();
			});
		}, reopenAfterMs);
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
		return `${groupRoot(this.context.paths)}/door-${this.server.name}`;
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
