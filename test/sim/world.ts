import type { NewEvent } from "../../src/api/event.ts";
import type { Felt, Incident } from "../../src/api/incident.ts";
import type { Adopted, Door, Env, Journal, Machine, Machines, Standby } from "../../src/session/env.ts";
import type { Sign } from "../../src/session/evidence.ts";
import type { Other } from "../../src/session/others.ts";
import { newRecord, type ServerRecord, type SessionRecord } from "../../src/session/state.ts";
import { VirtualClock } from "./clock.ts";
import { Guest, type Surroundings } from "./guest.ts";

const took = {
	settle: 20,
	drain: 40,
	seal: 9000,
	prepare: 700,
	load: 900,
	letGo: 2,
	address: 8,
	wake: 5,
	start: 300,
	failing: 50,
	evidence: 120,
	closing: 30,
	closingPolitely: 80,
	stuck: 5000,
};

const linesAtMost = 5000;

/**
 * A simulated host: what outlives a daemon. It writes down everything that happens and is asked, and what must never
 * happen.
 */
export class World implements Omit<Surroundings, "services" | "agent" | "boots" | "wakes"> {
	readonly clock = new VirtualClock();
	readonly lines: string[] = [];
	readonly violations: string[] = [];
	/** What the supervisor could not handle, as it said itself. */
	readonly defects: string[] = [];
	readonly incidents = new Map<string, Incident>();
	readonly guests: Guest[] = [];
	ignoresPowerButton = false;
	diskFull = false;
	starved = 0;
	boots: Surroundings["boots"];
	readonly services: readonly string[];
	readonly agent: boolean;
	readonly screens: boolean;
	readonly checks: Surroundings["checks"];
	/** How long it takes to dump a guest's memory. */
	dumpMs = 20_000;
	/** Whether there is room for a dump of a guest's memory. */
	keepsDumps = true;
	bootId = "boot-1";
	startFailure: string | undefined;
	keepsEvidence = true;
	canWrite = true;
	doorOpens = true;
	doorMute = false;
	withstandsDrills = false;
	/** How long requests that are under way take to end. */
	doorBusyMs = 0;
	activity = { current: 0, total: 0 };
	onKnock: { resolve(): void; reject(error: Error): void } | undefined;
	wakes: Surroundings["wakes"] = { kind: "ready", afterMs: 40 };
	sealed = false;
	/** Whether it was made for the definition that holds. */
	sealFits = true;
	/** Counts the server's definitions that differ in its hardware. */
	hardware = 1;
	/** Why no seal can be made, loaded or used. */
	trouble: {
		seal?: string;
		load?: string;
		use?: string;
		run?: string;
		read?: string;
		readMs?: number;
		drop?: string;
		/** A session that is given its disks does not run, and does not end. */
		sticks?: true;
	} = {};
	/** The server's record as it is on disk. */
	saved: ServerRecord = newRecord();
	/** The daemon ends when the next thing is asked that begins so. */
	trap: { when: "before" | "after"; what: string } | undefined;
	/** Servers that this one comes after. */
	readonly others = new Map<string, Other>();
	private daemon = 0;

	constructor(
		boots: Surroundings["boots"],
		{ agent, services, screens, checks }: Pick<Surroundings, "agent" | "services" | "screens" | "checks">,
	) {
		this.boots = boots;
		this.agent = agent;
		this.screens = screens;
		this.checks = checks;
		this.services = services;
	}

	log(kind: string, text: string): void {
		if (this.lines.length === linesAtMost) {
			this.violate("it goes on and on: the daemon is ended");
			this.daemon++;
		}
		this.lines.push(`${String(this.clock.elapsed).padStart(10)}  ${kind.padEnd(12)}${text}`.trimEnd());
	}

	violate(what: string): void {
		this.violations.push(`at ${this.clock.elapsed} ms: ${what}`);
	}

	/** The guest that runs, or the last one that ran. */
	get guest(): Guest {
		const guest = this.guests.findLast(({ alive, hasDisks }) => alive && hasDisks) ?? this.guests.at(-1);
		if (!guest) throw new Error("there is no session yet");
		return guest;
	}

	/** What the next daemon sees of this host. Nothing of it does anything any more once that daemon is gone. */
	env(): Env {
		const number = ++this.daemon;
		const asked = new Asked(this, () => this.daemon === number);
		const clock = {
			now: () => this.clock.now(),
			monotonic: () => this.clock.elapsed,
			sleep: async (ms: number, signal?: AbortSignal) => await asked.quietly(this.clock.sleep(ms, signal)),
		};
		return {
			clock,
			machines: new SimulatedMachines(this, asked),
			door: new SimulatedDoor(this, asked),
			journal: new SimulatedJournal(this, asked),
			others: () => [...this.others.values()],
		};
	}

	/** The daemon is gone, in whatever it was doing. */
	killDaemon(why: string): void {
		this.log("daemon", why);
		this.daemon++;
		this.trap = undefined;
		for (const guest of this.guests) guest.onSign = undefined;
	}

	restartHost(): void {
		this.killDaemon("ends with its host");
		for (const guest of this.guests) if (guest.alive) guest.end();
		this.bootId = "boot-2";
	}
}

/** Writes down what is asked of the host, and lets nothing come back to a daemon that is gone. */
class Asked {
	private readonly world: World;
	readonly isCurrent: () => boolean;

	constructor(world: World, isCurrent: () => boolean) {
		this.world = world;
		this.isCurrent = isCurrent;
	}

	async step<T>(what: string, work: () => T | Promise<T>, told = true): Promise<T> {
		if (this.trapped("before", what) || !this.isCurrent()) return await never();
		if (told) this.world.log("asked", what);
		const value = await this.quietly(Promise.resolve().then(work));
		return this.trapped("after", what) ? await never() : value;
	}

	async quietly<T>(work: Promise<T>): Promise<T> {
		try {
			const value = await work;
			return this.isCurrent() ? value : await never();
		} catch (error) {
			if (this.isCurrent()) throw error;
			return await never();
		}
	}

	private trapped(when: "before" | "after", what: string): boolean {
		const { trap } = this.world;
		if (!this.isCurrent() || trap?.when !== when || !what.startsWith(trap.what)) return false;
		this.world.killDaemon(`dies ${when} ${what}`);
		return true;
	}
}

class SimulatedMachines implements Machines {
	private readonly world: World;
	private readonly asked: Asked;

	constructor(world: World, asked: Asked) {
		this.world = world;
		this.asked = asked;
	}

	async start(number: number, onSign: (sign: Sign) => void): Promise<Machine> {
		const { world } = this;
		return await this.asked.step(`start #${number}`, async () => {
			this.checkStart(number);
			if (world.startFailure !== undefined) {
				await world.clock.sleep(took.failing);
				throw new Error(world.startFailure);
			}
			const guest = new Guest(number, world);
			world.guests.push(guest);
			await world.clock.sleep(took.start);
			guest.onSign = onSign;
			return new SimulatedMachine(world, this.asked, guest, sessionOf(world, guest, "boot"));
		});
	}

	async beginChanges(): Promise<void> {
		await this.asked.step("begin changes", () => {});
	}

	async dropChanges(): Promise<void> {
		await this.asked.step("take changes away", () => {
			if (this.world.guests.some(({ alive }) => alive))
				this.world.violate("changes go while a session lives");
		});
	}

	async keepChanges(): Promise<void> {
		await this.asked.step("keep changes", () => {
			if (this.world.guests.some(({ alive }) => alive))
				this.world.violate("changes end while a session lives");
		});
	}

	async prepareSeal(signal: AbortSignal): Promise<string | undefined> {
		return await this.asked.step("prepare the seal", async () => {
			const { read, readMs = took.prepare } = this.world.trouble;
			await this.world.clock.sleep(readMs, signal);
			if (read !== undefined) throw new Error(read);
			if (!this.world.sealed) return "there is none yet";
			const why = this.world.sealFits
				? this.world.trouble.use
				: "the server's hardware has changed since it was made";
			if (why !== undefined) this.world.sealed = false;
			return why;
		});
	}

	async makeSeal(number: number, signal: AbortSignal): Promise<void> {
		await this.asked.step(`seal #${number}`, async () => {
			this.checkNoted(number);
			await this.world.clock.sleep(took.seal, signal);
			if (this.world.trouble.seal !== undefined) throw new Error(this.world.trouble.seal);
			Object.assign(this.world, { sealed: true, sealFits: true });
		});
	}

	async dropSeal(): Promise<boolean> {
		const wasThere = this.world.sealed;
		const drop = () => {
			if (this.world.trouble.drop !== undefined) throw new Error(this.world.trouble.drop);
			this.world.sealed = false;
			return wasThere;
		};
		return await this.asked.step("drop the seal", drop, wasThere);
	}

	async load(
		number: number,
		awaited: boolean,
		onLost: (why: string) => void,
		signal: AbortSignal,
	): Promise<Standby> {
		const { world } = this;
		return await this.asked.step(`load #${number}`, async () => {
			this.checkNoted(number);
			if (!world.sealed) world.violate(`session ${number} is loaded from no seal`);
			if (!world.sealFits) world.violate(`session ${number} is loaded from a seal of another definition`);
			// What takes over at once has been planned; what stands by is in the list of those.
			if (awaited !== (world.saved.planned === number))
				world.violate(
					`session ${number} is loaded as if ${awaited ? "users waited" : "nobody waited"} for it`,
				);
			await world.clock.sleep(took.load, signal);
			if (world.trouble.load !== undefined) throw new Error(world.trouble.load);
			const guest = new Guest(number, world, "seal");
			world.guests.push(guest);
			guest.onSign = ({ kind }) => onLost(kind === "process-ended" ? "its process ended" : kind);
			return new SimulatedStandby(world, this.asked, guest);
		});
	}

	private checkNoted(number: number): void {
		const { standbys, planned } = this.world.saved;
		if (planned !== number && !standbys.includes(number))
			this.world.violate(`session ${number} begins without a note on disk`);
	}

	private checkStart(number: number): void {
		const { world } = this;
		const other = world.guests.find(({ alive, hasDisks }) => alive && hasDisks);
		if (other) world.violate(`session ${number} starts while session ${other.number} has its disks`);
		const last = Math.max(0, ...world.guests.map((guest) => guest.number));
		if (number <= last) world.violate(`session ${number} starts after session ${last}`);
		if (world.saved.planned !== number) world.violate(`session ${number} starts without a note on disk`);
	}

	async adopt(session: SessionRecord, onSign: (sign: Sign) => void): Promise<Adopted> {
		return await this.asked.step(`adopt #${session.number}`, async () => {
			const guest = this.world.guests.find(({ number }) => number === session.number);
			if (!guest?.alive || session.bootId !== this.world.bootId) return "ended";
			if (!guest.reachable) return "unreachable";
			guest.onSign = onSign;
			return new SimulatedMachine(this.world, this.asked, guest, session);
		});
	}

	async sameBoot(bootId: string): Promise<boolean> {
		return bootId === this.world.bootId;
	}

	async keepRemains(number: number, incident: string): Promise<string[]> {
		return await this.asked.step(`keep remains of #${number} for ${incident}`, () => ["console.txt"]);
	}

	async cleanUp(number: number): Promise<boolean> {
		return await this.asked.step(`clean up #${number}`, () => {
			const guest = this.world.guests.find((guest) => guest.number === number);
			if (guest?.alive && guest.stuck) {
				guest.stayStuck();
				return false;
			}
			guest?.end();
			return true;
		});
	}
}

class SimulatedMachine implements Machine {
	readonly session: Omit<SessionRecord, "readyAt">;
	private readonly world: World;
	private readonly asked: Asked;
	private readonly guest: Guest;

	constructor(world: World, asked: Asked, guest: Guest, session: Omit<SessionRecord, "readyAt">) {
		this.world = world;
		this.asked = asked;
		this.guest = guest;
		this.session = session;
	}

	async look() {
		return await this.asked.quietly(this.guest.look());
	}

	async settle(): Promise<void> {
		await this.ask("settle", () => this.world.clock.sleep(took.settle));
	}

	async pressPowerButton(): Promise<void> {
		await this.ask("press power button", () => this.guest.pressPowerButton());
	}

	async resume(): Promise<void> {
		await this.ask("resume", () => this.guest.resume());
	}

	async collectEvidence(incident: string) {
		return await this.ask("take evidence", async () => {
			const parked = !this.guest.hasDisks;
			if (this.world.canWrite && !parked && this.world.incidents.get(incident)?.outcome !== "recovering")
				this.world.violate(`evidence for ${incident}, which is not on disk as open`);
			await this.world.clock.sleep(took.evidence);
			if (!this.world.keepsEvidence) throw new Error("No space left on device");
			return { files: ["screen.png", "console.txt"], details: {} };
		});
	}

	async letGuestDump(): Promise<void> {
		await this.ask("let the guest dump", async () => this.guest.letDump());
	}

	async dumpMemory(_: string, withinMs: number, onProgress: (percent: number) => void): Promise<string> {
		return await this.ask("dump memory", async () => {
			const { clock, dumpMs, keepsDumps } = this.world;
			if (!keepsDumps) throw new Error("the host's disk has 3 GiB of room, and the dump may need 8 GiB");
			for (let percent = 5; percent <= 100; percent += 5) {
				const late = (dumpMs / 100) * percent > withinMs;
				await clock.sleep(late ? withinMs % (dumpMs / 20) : dumpMs / 20);
				if (!this.guest.alive) throw new Error("QEMU closed its monitor");
				if (late) throw new Error("the dump did not finish in time");
				onProgress(percent);
			}
			return "memory.dump";
		});
	}

	async letGo(): Promise<"parked" | "ended" | "stuck"> {
		return await this.ask("let go of its disks", async () => {
			this.guest.onSign = undefined;
			await this.world.clock.sleep(took.letGo);
			const parks = this.guest.reachable;
			if (!parks && this.guest.alive && this.guest.stuck) {
				this.guest.stayStuck();
				await this.world.clock.sleep(took.stuck);
				return "stuck";
			}
			this.guest.hasDisks = false;
			if (parks) return "parked";
			this.guest.end();
			return "ended";
		});
	}

	async close(politely: boolean): Promise<"ended" | "stuck"> {
		return await this.ask(politely ? "close politely" : "close", async () => {
			this.guest.onSign = undefined;
			if (this.guest.stuck) {
				this.guest.stayStuck();
				await this.world.clock.sleep(took.stuck);
				if (this.guest.stuck) return "stuck";
			}
			await this.world.clock.sleep(politely ? took.closingPolitely : took.closing);
			this.guest.end();
			return "ended";
		});
	}

	async inject(fault: Parameters<Machine["inject"]>[0]): Promise<void> {
		await this.ask(`inject ${fault}`, () => this.guest.inject(fault));
	}

	leave(): void {
		this.world.log("asked", `let go of #${this.session.number}`);
		this.guest.onSign = undefined;
	}

	private async ask<T>(what: string, work: () => Promise<T>): Promise<T> {
		return await this.asked.step(`${what} #${this.session.number}`, work);
	}
}

class SimulatedStandby implements Standby {
	readonly session: Omit<SessionRecord, "readyAt">;
	private readonly world: World;
	private readonly asked: Asked;
	private readonly guest: Guest;
	private readonly hardware: number;

	constructor(world: World, asked: Asked, guest: Guest) {
		this.world = world;
		this.asked = asked;
		this.guest = guest;
		this.hardware = world.hardware;
		this.session = sessionOf(world, guest, "seal");
	}

	async wake(): Promise<void> {
		await this.ask("wake", async () => {
			await this.world.clock.sleep(took.wake);
			if (this.world.trouble.run !== undefined) throw new Error(this.world.trouble.run);
		});
	}

	async takeAddress(): Promise<void> {
		await this.ask("take the address", async () => await this.world.clock.sleep(took.address));
	}

	async run(onSign: (sign: Sign) => void): Promise<Machine> {
		return await this.ask("run", async () => {
			const { world, guest } = this;
			const other = world.guests.find(({ alive, hasDisks }) => alive && hasDisks);
			if (other) world.violate(`session ${guest.number} runs while session ${other.number} has its disks`);
			if (world.saved.planned !== guest.number) world.violate(`session ${guest.number} runs without a note`);
			if (this.hardware !== world.hardware)
				world.violate(`session ${guest.number} runs with the hardware of an earlier definition`);
			guest.onSign = onSign;
			if (!guest.alive) throw new Error("QEMU has ended");
			if (world.trouble.sticks) {
				Object.assign(guest, { hasDisks: true, stuck: true });
				throw new Error("QEMU did not take the disk ledger within 5000 ms");
			}
			guest.go();
			return new SimulatedMachine(world, this.asked, guest, this.session);
		});
	}

	async close(): Promise<boolean> {
		return await this.ask("close", async () => {
			this.guest.onSign = undefined;
			if (this.guest.stuck) {
				this.guest.stayStuck();
				await this.world.clock.sleep(took.stuck);
				return false;
			}
			this.guest.end();
			return true;
		});
	}

	private async ask<T>(what: string, work: () => T | Promise<T>): Promise<T> {
		return await this.asked.step(`${what} #${this.session.number}`, work);
	}
}

function sessionOf(world: World, guest: Guest, from: SessionRecord["from"]): Omit<SessionRecord, "readyAt"> {
	return {
		number: guest.number,
		pid: guest.pid,
		startTime: 1,
		bootId: world.bootId,
		startedAt: world.clock.now(),
		accelerator: "tcg",
		definition: "",
		from,
	};
}

class SimulatedDoor implements Door {
	private readonly world: World;
	private readonly asked: Asked;

	constructor(world: World, asked: Asked) {
		this.world = world;
		this.asked = asked;
	}

	async expect(): Promise<void> {
		await this.asked.step("expect a new session", () => {
			if (!this.world.doorOpens) throw new Error("port 8080 of the host is in use by another program");
		});
	}

	async dropHopeless(): Promise<void> {
		await this.asked.step("drop hopeless requests", () => {}, false);
	}

	async cut(): Promise<void> {
		await this.asked.step("cut", () => {});
	}

	async drain(deadlineMs: number, signal: AbortSignal): Promise<boolean> {
		return await this.asked.step("drain", async () => {
			const { clock, doorBusyMs } = this.world;
			await clock.sleep(Math.min(deadlineMs, took.drain + doorBusyMs), signal);
			return took.drain + doorBusyMs <= deadlineMs;
		});
	}

	async release(): Promise<void> {
		await this.asked.step("release", () => {});
	}

	async activity(): Promise<{ current: number; total: number }> {
		return await this.asked.step("activity", () => ({ ...this.world.activity }), false);
	}

	async rest(): Promise<void> {
		await this.asked.step("rest", () => {});
	}

	async knock(signal: AbortSignal): Promise<void> {
		await this.asked.step("wait for a knock", async () => {
			const { promise, resolve, reject } = Promise.withResolvers<void>();
			signal.addEventListener("abort", () => reject(signal.reason));
			this.world.onKnock = { resolve, reject };
			await promise;
		});
	}

	async felt(from: number, to: number): Promise<Felt | null> {
		const longestPauseMs = to - from;
		return await this.asked.step(`felt during ${longestPauseMs} ms`, () => ({
			requests: 10,
			held: 10,
			failed: 0,
			longestPauseMs,
		}));
	}
}

class SimulatedJournal implements Journal {
	private readonly world: World;
	private readonly asked: Asked;

	constructor(world: World, asked: Asked) {
		this.world = world;
		this.asked = asked;
	}

	async saveRecord(record: ServerRecord): Promise<void> {
		await this.asked.step(
			`save ${record.state}`,
			() => {
				this.write();
				this.world.saved = structuredClone(record);
				if (record.state === "stopped" && this.world.guests.some(({ alive }) => alive))
					this.world.violate("the server is stopped while a session lives");
			},
			false,
		);
	}

	async saveIncident(incident: Incident): Promise<void> {
		await this.asked.step(
			`save incident ${incident.id}`,
			() => {
				this.write();
				const { id, cause, outcome } = incident;
				const before = this.world.incidents.get(id);
				if (before?.outcome !== outcome) this.world.log("incident", `${id} (${cause}): ${outcome}`);
				if (before && before.outcome !== "recovering" && outcome === "recovering")
					this.world.violate(`incident ${id} was over (${before.outcome}) and is opened again`);
				this.world.incidents.set(id, structuredClone(incident));
			},
			false,
		);
	}

	async loadIncident(id: string): Promise<Incident | undefined> {
		return structuredClone(this.world.incidents.get(id));
	}

	event({ kind, text, session }: Omit<NewEvent, "server">): undefined {
		if (!this.asked.isCurrent()) return;
		this.world.log(kind, `${session === null ? "" : `#${session} `}${text}`);
		if (text.includes("upervision failed") || text.startsWith("Watching session")) {
			this.world.defects.push(text);
			return;
		}
		// On a disk that takes nothing, telling is all that can be done; no session may start then, see checkStart.
		if (kind === "state" && this.world.canWrite && !text.startsWith(this.world.saved.state))
			this.world.violate(`"${text}" is told, but ${this.world.saved.state} is on disk`);
	}

	private write(): void {
		if (!this.world.canWrite) throw new Error("ENOSPC: no space left on device, write");
	}
}

async function never(): Promise<never> {
	return await new Promise<never>(() => {});
}
