import type { Seen } from "../../src/api/screen.ts";
import type { Fault } from "../../src/api/server.ts";
import type { Pulse, Sign } from "../../src/session/evidence.ts";
import type { VirtualClock } from "./clock.ts";

/** What a guest does each time it boots. */
export type BootPlan =
	| { kind: "ready"; afterMs: number }
	| { kind: "never" }
	| { kind: "panics"; afterMs: number }
	| { kind: "resets"; afterMs: number };

/** What all sessions of a simulated host have in common. */
export interface Surroundings {
	clock: VirtualClock;
	boots: BootPlan;
	/** What a session from the seal does when it is let go. */
	wakes: BootPlan;
	services: readonly string[];
	agent: boolean;
	/** Whether its screen is looked at. */
	screens: boolean;
	ignoresPowerButton: boolean;
	/** The front door does not say how services are. */
	doorMute: boolean;
	/** Its services are asked so often, and have so long to answer; without it they are known to be silent after a second. */
	checks: { everyMs: number; withinMs: number } | undefined;
	/** A fault that is made on purpose has no effect. */
	withstandsDrills: boolean;
	diskFull: boolean;
	/** Share of its time that the host does not let the guest run. */
	starved: number;
}

type Doing =
	| "waiting"
	| "booting"
	| "serving"
	| "hangs"
	| "hangs-with-interrupts"
	| "panicked"
	/** Has crashed, and was let run on. */
	| "dumps"
	| "off";
/** The distributive form of Omit, which keeps the union apart. */
type Said = Sign extends infer S ? (S extends Sign ? Omit<S, "at"> : never) : never;

/** The front door's checks need this long to see that a service does not answer. */
const checkLagMs = 1000;
const lateMs = 2000;
const shutdownMs = 3000;
const agentAnswersMs = 300;
const firmwareMs = 500;
const screenEveryMs = { usually: 3000, interruptsOff: 1000 };

interface Service {
	silenced: boolean;
	answered: boolean;
	/** When it last began or ceased to answer. */
	since: number;
	health: "up" | "down" | "unknown";
}

/** A made-up QEMU process with a made-up guest inside: the outside of what the supervisor sees of a real one. */
export class Guest {
	readonly number: number;
	/** Whether it has the server's disks: one that stands by has none yet, one that has let go of them none any more. */
	hasDisks: boolean;
	readonly pid: number;
	process: Pulse["process"] = "runs";
	/** Not even SIGKILL ends it: it waits in the kernel for a disk then. */
	stuck = false;
	/** Its TPM has ended. */
	tpmGone = false;
	onSign: ((sign: Sign) => void) | undefined;
	private readonly around: Surroundings;
	private doing: Doing = "booting";
	private monitor = true;
	private waitsForRoom = false;
	private paused: "paused" | "suspended" | undefined;
	private bootedAt = 0;
	private boot = 0;
	/** A restart ends its session: it stays paused instead. */
	private endsAtReset = false;
	/** What stands on its screen. */
	private screen: Seen = { kind: "other" };
	private screenSeenAt = 0;
	private agentHeardAt: number | null = null;
	private agentAsked = false;
	private qmpHeardAt: number;
	private readonly services: Map<string, Service>;

	constructor(number: number, around: Surroundings, from: "boot" | "seal" = "boot") {
		this.number = number;
		this.hasDisks = from === "boot";
		this.pid = 1000 + number;
		this.around = around;
		const now = around.clock.now();
		this.qmpHeardAt = now;
		this.services = new Map(
			around.services.map((name) => [
				name,
				{ silenced: false, answered: false, since: now, health: around.checks ? "down" : "unknown" },
			]),
		);
		if (from === "boot") this.begin();
		else this.stopDoing("waiting");
	}

	get alive(): boolean {
		return this.process !== "ended";
	}

	// ---- what it does

	becomeReady(): void {
		this.doing = "serving";
		this.screen = { kind: "other" };
		this.changed();
	}

	panic(): void {
		this.stopDoing("panicked");
		this.tell({ kind: "panicked", details: { action: "pause" } });
	}

	/** Crashes, and QEMU says so as it does. */
	panicAs(sign: Sign): void {
		// Once it was let run on, no further sign pauses it.
		if (!this.endsAtReset) this.stopDoing("panicked");
		this.tell(sign);
	}

	show(screen: Seen): void {
		this.screen = screen;
	}

	reset(): void {
		if (this.endsAtReset) {
			this.stopDoing("off");
			this.tell({ kind: "shutdown", guest: true, reason: "guest-reset" });
			return;
		}
		this.screen = { kind: "boot" };
		this.tell({ kind: "reset", guest: true, reason: "guest-reset" });
		this.begin();
	}

	shutDown(): void {
		this.stopDoing("off");
		this.tell({ kind: "shutdown", guest: true, reason: "guest-shutdown" });
	}

	hang(interrupts: "on" | "off"): void {
		this.stopDoing(interrupts === "off" ? "hangs" : "hangs-with-interrupts");
	}

	silence(service: string, silenced: boolean): void {
		const found = this.services.get(service);
		if (!found) throw new Error(`the guest has no service ${service}`);
		found.silenced = silenced;
		this.changed();
	}

	/** The process ends, as the kernel's out-of-memory killer would end it. */
	kill(): void {
		this.end();
		this.tell({ kind: "process-ended", code: 137 });
	}

	loseMonitor(): void {
		this.monitor = false;
		this.tell({ kind: "qmp-lost", why: "QEMU closed its monitor" });
	}

	freeze(): void {
		this.process = "frozen";
		this.changed();
	}

	findDiskFull(): void {
		this.waitsForRoom = true;
		this.changed();
		this.tell({ kind: "disk-error", diskFull: true, text: "No space left on device" });
	}

	/** A session that stood by goes on from the seal. */
	go(): void {
		this.hasDisks = true;
		this.begin({ ...this.around.wakes });
	}

	/** It waits in the kernel for a disk that does not answer. */
	waitForDisk(waits: boolean): void {
		this.process = waits ? "uninterruptible" : "runs";
		if (!waits) this.stuck = false;
		this.changed();
	}

	pause(how: "paused" | "suspended" | undefined): void {
		this.paused = how;
		this.changed();
	}

	muteMonitor(): void {
		this.monitor = false;
	}

	/** It was killed, and is not gone. */
	stayStuck(): void {
		this.stopDoing("off");
		this.process = "uninterruptible";
	}

	getUnstuck(): void {
		this.stuck = false;
		this.end();
	}

	/** Whether a daemon that connects to its monitor gets an answer. */
	get reachable(): boolean {
		return this.process === "runs" && this.monitor;
	}

	/** Ends without a word: the process is gone, or the whole host was restarted. */
	end(): void {
		this.stopDoing("off");
		this.process = "ended";
	}

	// ---- what is asked of it

	async pressPowerButton(): Promise<void> {
		this.require();
		if (this.around.ignoresPowerButton || this.doing !== "serving") return;
		this.around.clock.after(shutdownMs, () => this.doing === "serving" && this.shutDown());
	}

	async resume(): Promise<void> {
		this.require();
		if (this.around.diskFull) return this.findDiskFull();
		this.waitsForRoom = false;
		this.changed();
	}

	/** As QEMU does when it is told that a restart is the end. */
	letDump(): void {
		this.require();
		this.endsAtReset = true;
		if (this.doing === "panicked") this.stopDoing("dumps");
	}

	/** The screen, when it was not looked at a moment ago. */
	private lookAtScreen(): Seen | undefined {
		const now = this.around.clock.now();
		const every = this.interrupts() === "off" ? screenEveryMs.interruptsOff : screenEveryMs.usually;
		if (!this.around.screens || !this.reachable || now - this.screenSeenAt < every) return undefined;
		this.screenSeenAt = now;
		return this.screen;
	}

	async inject(fault: Fault): Promise<void> {
		if (this.around.withstandsDrills) return;
		switch (fault) {
			case "panic":
				this.around.clock.after(20, () => this.alive && this.panic());
				return;
			case "kill":
				return this.kill();
			case "hang":
				return this.hang("off");
			case "freeze":
				return this.freeze();
			default:
				return fault satisfies never;
		}
	}

	async look(): Promise<Pulse> {
		const { clock, starved } = this.around;
		const speaks = this.reachable;
		this.askAgent();
		// A monitor that does not answer is waited for.
		await clock.sleep(speaks ? 3 : 400);
		const status = this.reachable ? this.status() : null;
		if (status !== null) this.qmpHeardAt = clock.now();
		const screen = this.lookAtScreen();
		return {
			...(screen && { screen }),
			...(this.tpmGone && { tpmGone: true }),
			at: clock.now(),
			process: this.process,
			status,
			qmpHeardAt: this.qmpHeardAt,
			agentHeardAt: this.agentHeardAt,
			services: Object.fromEntries([...this.services].map(([name, service]) => [name, this.health(service)])),
			...this.freshness(),
			interrupts: status === "running" ? this.interrupts() : "unknown",
			starved,
		};
	}

	// ---- how it does it

	private begin(boots = this.around.boots): void {
		const { clock } = this.around;
		this.doing = "booting";
		this.bootedAt = clock.now();
		this.changed();
		const boot = ++this.boot;
		this.screenSeenAt = 0;
		if (boots.kind === "never") return;
		const act = { ready: () => this.becomeReady(), panics: () => this.panic(), resets: () => this.reset() };
		clock.after(boots.afterMs, () => {
			if (this.alive && this.doing === "booting" && this.boot === boot) act[boots.kind]();
		});
	}

	private stopDoing(doing: Doing): void {
		this.doing = doing;
		this.changed();
	}

	private tell(said: Said): void {
		this.onSign?.({ ...said, at: this.around.clock.now() });
	}

	private status(): string {
		if (this.doing === "waiting") return "paused";
		if (this.doing === "panicked") return "guest-panicked";
		if (this.doing === "off") return "shutdown";
		if (this.waitsForRoom) return "io-error";
		return this.paused ?? "running";
	}

	private interrupts(): Pulse["interrupts"] {
		const firmware = this.doing === "booting" && this.around.clock.now() - this.bootedAt < firmwareMs;
		return this.doing === "hangs" || this.doing === "dumps" || firmware ? "off" : "on";
	}

	private get answers(): boolean {
		return this.process === "runs" && this.doing === "serving" && !this.waitsForRoom && !this.paused;
	}

	/** As the ear of the guest agent does: one question at a time, and an answer counts whenever it comes. */
	private askAgent(): void {
		const { agent, clock, starved } = this.around;
		if (!agent || this.agentAsked || starved >= 1) return;
		this.agentAsked = true;
		clock.after(agentAnswersMs / (1 - starved), () => {
			this.agentAsked = false;
			if (this.answers) this.agentHeardAt = clock.now();
		});
	}

	private health(service: Service): Service["health"] {
		const { clock, starved, doorMute, checks } = this.around;
		if (doorMute) return "unknown";
		const knownAt = checks ? this.askedAt(service) + checks.withinMs : service.since + checkLagMs;
		if (service.answered && starved < 0.9) service.health = "up";
		else if (clock.now() >= knownAt) service.health = "down";
		return service.health;
	}

	/** As the front door knows it of a check that runs while it says what the one before has found. */
	private freshness(): Pick<Pulse, "answers"> {
		const { clock, checks } = this.around;
		if (!checks) return {};
		const answerOf = (service: Service) => {
			const asked = service.answered ? 0 : Math.max(0, clock.now() - this.askedAt(service));
			return { ageMs: checks.everyMs + asked, late: asked > lateMs };
		};
		return {
			answers: Object.fromEntries([...this.services].map(([name, service]) => [name, answerOf(service)])),
		};
	}

	/** When a service that does not answer any more was asked first. */
	private askedAt({ since }: Service): number {
		const everyMs = this.around.checks?.everyMs ?? 1;
		return Math.ceil(since / everyMs) * everyMs;
	}

	private changed(): void {
		for (const service of this.services.values()) {
			const answers = this.answers && !service.silenced;
			if (answers !== service.answered) service.since = this.around.clock.now();
			service.answered = answers;
		}
	}

	private require(): void {
		if (!this.reachable) throw new Error("QEMU's monitor does not answer");
	}
}
