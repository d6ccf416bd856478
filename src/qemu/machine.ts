import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import type { GuestDisk } from "../api/guest-disks.ts";
import { systemClock, withDeadline } from "../host/clock.ts";
import { errorCode, readUntrustedTail } from "../host/files.ts";
import {
	endProcess,
	isAlive,
	type ProcessIdentity,
	sendSignal,
	stateOf,
	waitForEnd,
} from "../host/process.ts";
import { Starvation } from "../host/starvation.ts";
import { GuestAgent, type GuestRun, type GuestRunOptions } from "./agent.ts";
import { driveOf } from "./command-line/disks.ts";
import { dumpMemory } from "./dump.ts";
import { hangProcessors } from "./gdb.ts";
import { type Disk, type Drive, inside } from "./hardware.ts";
import { attachDisk, detachDisk } from "./hotplug.ts";
import { QmpConnection, type QmpEvent } from "./qmp/connection.ts";
import { QmpError } from "./qmp/errors.ts";
import { readProcessors } from "./registers.ts";
import { loadState, saveState } from "./state.ts";

/** Host paths of one session. */
export interface MachineFolders {
	/** Holds what the session writes itself: console log and screenshots. */
	session: string;
	/** Holds its sockets. */
	sockets: string;
}

export type MachineEvent =
	| { kind: "qmp"; event: QmpEvent; at: number }
	/** The process has ended, with its exit code where that can be known. */
	| { kind: "ended"; code: number | null; at: number }
	/** The monitor closed, yet the process lives on. */
	| { kind: "monitor-lost"; why: string; at: number };

/** What a look at a machine found. Times are milliseconds since the Unix epoch. */
export interface Look {
	at: number;
	process: "runs" | "frozen" | "uninterruptible" | "ended";
	status: string | null;
	qmpHeardAt: number;
	agentHeardAt: number | null;
	interrupts: "on" | "off" | "unknown";
	starved: number;
}

const answersWithinMs = 400;
const evidenceWithinMs = 2000;
const panicPrintsMs = 150;
const letGoWithinMs = 500;
/** 4096 by 4096 pixels, and a header; of a longer file the end alone is read, and that is no picture. */
const frameLimit = 4096 * 4096 * 3 + 100;
/** One such picture; what a guest usually shows takes a twentieth of it. */
export const frameFolderBytes = 64 * 2 ** 20;
/** BIOS menus and boot loaders miss keys that are shorter. */
const keyHeldMs = 30;
const keyPauseMs = 20;
/** QEMU's docs/system/qemu-manpage: filter-buffer. Its interval is never waited for: taking it away empties it. */
const packetBuffer = {
	"qom-type": "filter-buffer",
	id: "held-packets",
	netdev: "net0",
	queue: "all",
	interval: 4_000_000_000,
} as const;

/** One QEMU process, started by this daemon or by an earlier one. */
export class QemuMachine {
	readonly identity: ProcessIdentity;
	private readonly folders: MachineFolders;
	private readonly onEvent: (event: MachineEvent) => void;
	private readonly agent: GuestAgent;
	private readonly starvation: Starvation;
	private qmp: QmpConnection | undefined;
	private qmpHeardAt = Date.now();
	private agentHeardAt: number | null = null;
	private statusAsked: Promise<string | null> | undefined;
	private exitCode: Promise<number> | undefined;
	private over = false;
	/** Its guest is not to run again. */
	private stopped = false;

	private constructor(
		identity: ProcessIdentity,
		folders: MachineFolders,
		onEvent: (event: MachineEvent) => void,
	) {
		this.identity = identity;
		this.folders = folders;
		this.onEvent = onEvent;
		this.starvation = new Starvation(identity.pid);
		this.agent = new GuestAgent(join(folders.sockets, "agent.sock"), (at) => {
			this.agentHeardAt = at;
		});
	}

	/**
	 * Connects to a QEMU process.
	 * @param exitCode resolves when it ends, where this daemon started it
	 * @throws Error when its monitor cannot be reached
	 */
	static async connect(
		identity: ProcessIdentity,
		folders: MachineFolders,
		onEvent: (event: MachineEvent) => void,
		exitCode?: Promise<number>,
	): Promise<QemuMachine> {
		const machine = new QemuMachine(identity, folders, onEvent);
		machine.exitCode = exitCode;
		// One that an earlier daemon started listens already, or never will.
		if (exitCode) await untilListening(join(folders.sockets, "qmp.sock"), identity);
		await machine.openMonitor();
		exitCode?.then(
			(code) => machine.tellEnd(code),
			() => machine.tellEnd(null),
		);
		return machine;
	}

	/** Looks at every sign of life. Waits at most 0.4 s, and never throws. */
	async look(): Promise<Look> {
		this.agent.ask();
		const status = await this.withinReach(this.status());
		const interrupts = status === "running" ? await this.interrupts() : "unknown";
		return {
			at: Date.now(),
			process: this.processState(),
			status,
			qmpHeardAt: this.qmpHeardAt,
			agentHeardAt: this.agentHeardAt,
			interrupts,
			starved: this.starvation.since(),
		};
	}

	async pressPowerButton(): Promise<void> {
		await this.monitor().execute("system_powerdown", {});
	}

	/** Presses keys that belong together, as `["ctrl", "alt", "delete"]`. @throws QmpError for a key that there is not */
	async pressKeys(keys: readonly string[]): Promise<void> {
		await this.monitor().execute("send-key", {
			// What is no key is QEMU's to refuse.
			keys: keys.map((data) => ({ type: "qcode", data })),
			"hold-time": keyHeldMs,
		});
		// Keys that come while others are held are lost.
		await systemClock.sleep(keyHeldMs + keyPauseMs);
	}

	/** Takes the disc out of a CD drive, also when the guest holds it. */
	async eject(drive: Pick<Drive, "name">): Promise<void> {
		await this.monitor().execute("eject", { id: driveOf(drive), force: true });
	}

	async resume(): Promise<void> {
		await this.monitor().execute("cont", {});
	}

	/** Writes `screen.png` into the session's folder, in at most `deadlineMs`. @returns the picture */
	async screenshot(deadlineMs = 2000): Promise<Buffer> {
		await this.monitor().execute("screendump", { filename: inside.screen, format: "png" }, deadlineMs);
		const path = join(this.folders.session, "screen.png");
		try {
			const picture = await readUntrustedTail(path, 32 * 2 ** 20);
			if (!picture) throw new Error("QEMU wrote no picture");
			return picture;
		} finally {
			await rm(path, { force: true });
		}
	}

	/**
	 * The screen as PPM, in at most `deadlineMs`: taken every few seconds, and never on a disk.
	 * @throws QmpError, DeadlineError, QmpGone, or that there is no picture
	 */
	async frame(deadlineMs: number): Promise<Buffer> {
		const [seen, folder] = this.frameFolder();
		const name = "screen.ppm";
		const path = join(folder, name);
		try {
			await this.monitor().execute("screendump", { filename: `${seen}/${name}`, format: "ppm" }, deadlineMs);
			const picture = await readUntrustedTail(path, frameLimit);
			if (!picture) throw new Error("QEMU wrote no picture");
			return picture;
		} finally {
			await rm(path, { force: true });
		}
	}

	/** @returns the same folder inside and outside. Sessions of earlier versions have none in memory. */
	private frameFolder(): [string, string] {
		const inMemory = `/proc/${this.identity.pid}/root${inside.frames}`;
		return existsSync(inMemory) ? [inside.frames, inMemory] : [inside.session, this.folders.session];
	}

	/** What can be learned from a failed session before it is closed; parts that do not answer are left out. */
	async evidence(withRegisters: boolean): Promise<{
		screen: Buffer | undefined;
		registers: string | undefined;
		transcript: string;
	}> {
		const reachable = isAlive(this.identity) && stateOf(this.identity) !== "T";
		if (reachable) await this.letPanicBePrinted();
		const screen = reachable ? await this.screenshot(evidenceWithinMs / 2).catch(() => undefined) : undefined;
		const registers =
			reachable && withRegisters
				? await this.registers(evidenceWithinMs / 2).catch(() => undefined)
				: undefined;
		return { screen, registers, transcript: this.qmp?.transcript.text() ?? "" };
	}

	/**
	 * Pauses the guest for good and writes its memory into the session's folder, packed: a Windows crash dump where the guest has
	 * told QEMU how to make one, a kdump file for `crash` else.
	 * @returns the host path of the file, which is the session's own and to be taken away
	 * @throws QmpError, DeadlineError
	 */
	async dumpMemory(deadlineMs: number, onProgress?: (percent: number) => void): Promise<string> {
		// A panicked guest's state does not say so.
		this.stopped = true;
		return await dumpMemory(this.monitor(), this.folders.session, deadlineMs, onProgress);
	}

	/**
	 * Lets a guest that has crashed run on, without its network: a kernel that has panicked may go on answering there. When
	 * it restarts or shuts down, QEMU stays paused instead, in the state `shutdown`; nothing boots in it. A further sign of
	 * its crash does not pause it again.
	 * @throws QmpError, DeadlineError, QmpGone
	 */
	async letGuestDump(): Promise<void> {
		await this.monitor().execute("set-action", { reboot: "shutdown", shutdown: "pause", panic: "none" });
		await this.monitor()
			.execute("set_link", { name: "net0", up: false })
			.catch((error) => {
				// A server without a network has no such card.
				if (!(error instanceof QmpError)) throw error;
			});
		const { status } = await this.monitor().execute("query-status", {});
		if (status === "guest-panicked" || status === "paused") await this.resume();
	}

	/**
	 * A panic in a non-maskable interrupt is printed after the panic device was told of it (Linux: printk_safe_flush), so
	 * the paused screen does not show it yet. The session still has its disks to itself here.
	 */
	private async letPanicBePrinted(): Promise<void> {
		if (this.stopped || (await this.withinReach(this.status())) !== "guest-panicked") return;
		await this.monitor()
			.execute("cont", {}, evidenceWithinMs)
			.catch(() => {});
		await systemClock.sleep(panicPrintsMs);
	}

	/** Ends the process: `quit` first when `politely`, then SIGKILL. @returns false when nothing ended it */
	async close(politely: boolean): Promise<boolean> {
		this.over = true;
		this.agent.close();
		if (politely && stateOf(this.identity) !== "T") {
			await this.qmp?.execute("quit", {}).catch(() => {});
			await waitForEnd(this.identity, 2000);
		}
		const ended = await endProcess(this.identity, 0);
		this.qmp?.close();
		return ended;
	}

	// ---- seals

	/** Pauses it for good, and saves the state of its devices. @throws Error with QEMU's own words, DeadlineError */
	async save(): Promise<Buffer> {
		await this.monitor().execute("stop", {});
		return await saveState(this.monitor(), join(this.folders.sockets, "state.sock"));
	}

	/** Takes over a saved state from one of its descriptors; it stays paused. */
	async load(descriptor: number): Promise<void> {
		await loadState(this.monitor(), descriptor);
	}

	async pause(): Promise<void> {
		await this.monitor().execute("stop", {});
	}

	/** From here on no packet reaches the guest or leaves it; none is lost either. */
	async holdPackets(): Promise<void> {
		await this.monitor().execute("object-add", packetBuffer);
	}

	/** Lets the packets go that were held. */
	async releasePackets(): Promise<void> {
		await this.monitor().execute("object-del", { id: packetBuffer.id });
	}

	/** Sets the guest's clock to the host's. @throws AgentError, DeadlineError */
	async setClock(deadlineMs: number): Promise<void> {
		// Nanoseconds; a number of that size loses its last digits, a quarter of a microsecond.
		await this.agent.execute("guest-set-time", { time: Date.now() * 1e6 }, deadlineMs);
	}

	/** Lets the guest write everything to its disks, and nothing more until it is thawed. @throws AgentError, DeadlineError */
	async freezeFiles(deadlineMs: number): Promise<void> {
		await this.agent.execute("guest-fsfreeze-freeze", {}, deadlineMs);
	}

	/** Ends what `freezeFiles` began; does nothing to a guest that is not frozen. @throws AgentError, DeadlineError */
	async thawFiles(deadlineMs: number): Promise<void> {
		await this.agent.execute("guest-fsfreeze-thaw", {}, deadlineMs);
	}

	/** Runs a program inside the guest. @throws AgentError with what it wrote, DeadlineError */
	async runInGuest(
		path: string,
		args: readonly string[],
		deadlineMs: number,
		options?: GuestRunOptions,
	): Promise<GuestRun> {
		return await this.agent.run(path, args, deadlineMs, options);
	}

	/** Asks the guest's agent whether it lives, when it is not being asked; `hasAgent` tells later. */
	askAgent(): void {
		this.agent.ask();
	}

	/** Whether the guest's agent has answered. */
	get hasAgent(): boolean {
		return this.agentHeardAt !== null;
	}

	/** Reads a file inside the guest. @returns undefined when it is not there @throws AgentError, DeadlineError */
	async readGuestFile(path: string, limit: number, deadlineMs: number): Promise<Buffer | undefined> {
		return await this.agent.readFile(path, limit, deadlineMs);
	}

	/** @returns the disks that the guest sees @throws AgentError, DeadlineError */
	async guestDisks(deadlineMs: number): Promise<GuestDisk[]> {
		return await this.agent.disks(deadlineMs);
	}

	async attach(disk: Disk): Promise<void> {
		await attachDisk(this.monitor(), disk);
	}

	/**
	 * Stops the guest, and makes it let go of its data disks, so that another session may have them.
	 * @returns false when that does not work; then it holds them until its process has ended
	 */
	async letGoOf(disks: readonly Disk[]): Promise<boolean> {
		const state = stateOf(this.identity);
		if (state === undefined) return true;
		if (state === "T") return false;
		try {
			await this.monitor().execute("stop", {}, letGoWithinMs);
			for (const disk of disks) await detachDisk(this.monitor(), disk);
			return true;
		} catch {
			return !isAlive(this.identity);
		}
	}

	/** SIGKILL, as the kernel's out-of-memory killer would send it. */
	kill(): void {
		sendSignal(this.identity, "SIGKILL");
	}

	/** SIGSTOP: the process is there and does nothing. */
	freeze(): void {
		sendSignal(this.identity, "SIGSTOP");
	}

	/** A non-maskable interrupt: guests that are told so panic on it. */
	async injectNmi(): Promise<void> {
		await this.monitor().execute("inject-nmi", {});
	}

	/** Interrupts off and an endless loop, on every processor. */
	async hang(): Promise<void> {
		const hmp = async (line: string) =>
			await this.monitor().execute("human-monitor-command", { "command-line": line });
		await hmp(`gdbserver unix:${inside.gdb},server=on,wait=off`);
		try {
			await hangProcessors(join(this.folders.sockets, "gdb.sock"));
		} finally {
			// The debugger pauses the guest; a drill that breaks off must not leave it so.
			await hmp("gdbserver none");
			await this.resume();
		}
	}

	/** Lets go without ending the process. */
	leave(): void {
		this.over = true;
		this.agent.close();
		this.qmp?.close();
	}

	private async openMonitor(): Promise<void> {
		this.qmp = await QmpConnection.open(join(this.folders.sockets, "qmp.sock"), {
			onEvent: (event) => {
				if (!this.over) this.onEvent({ kind: "qmp", event, at: event.receivedAt });
			},
			onDisconnect: (why) => void this.onDisconnect(why),
			onHeard: () => {
				this.qmpHeardAt = Date.now();
			},
		});
	}

	private async onDisconnect(why: string): Promise<void> {
		if (this.over) return;
		const at = Date.now();
		// A process that is killed closes its sockets a moment before it is gone.
		if (await waitForEnd(this.identity, 1000)) this.tellEnd(await this.knownExitCode(), at);
		else if (!this.over) this.onEvent({ kind: "monitor-lost", why, at });
	}

	private async knownExitCode(): Promise<number | null> {
		const { exitCode } = this;
		if (!exitCode) return null;
		return await withDeadline("the exit code", 200, () => exitCode).catch(() => null);
	}

	private tellEnd(code: number | null, at = Date.now()): void {
		if (this.over) return;
		this.over = true;
		this.agent.close();
		this.onEvent({ kind: "ended", code, at });
	}

	private monitor(): QmpConnection {
		if (!this.qmp) throw new Error("the monitor is not connected");
		return this.qmp;
	}

	/** One question at a time: a QEMU that is slow to answer is not asked again meanwhile. */
	private status(): Promise<string | null> {
		this.statusAsked ??= this.monitor()
			.execute("query-status", {})
			.then(
				({ status }: { status: unknown }) => (typeof status === "string" ? status : null),
				() => null,
			)
			.finally(() => {
				this.statusAsked = undefined;
			});
		return this.statusAsked;
	}

	private async interrupts(): Promise<Look["interrupts"]> {
		const text = await this.withinReach(this.registers(answersWithinMs).catch(() => null));
		const processors = readProcessors(text ?? "");
		if (processors.length === 0) return "unknown";
		return processors.some((processor) => processor.interruptsOn) ? "on" : "off";
	}

	private async registers(deadlineMs: number): Promise<string> {
		const text: unknown = await this.monitor().execute(
			"human-monitor-command",
			{ "command-line": "info registers -a" },
			deadlineMs,
		);
		if (typeof text !== "string") throw new Error("QEMU does not tell its registers");
		return text;
	}

	private async withinReach<T>(answer: Promise<T | null>): Promise<T | null> {
		return await withDeadline("an answer", answersWithinMs, () => answer).catch(() => null);
	}

	private processState(): Look["process"] {
		const state = stateOf(this.identity);
		if (state === undefined) return "ended";
		if (state === "T") return "frozen";
		return state === "D" ? "uninterruptible" : "runs";
	}
}

/** A QEMU that has just been started makes its socket a moment later, and listens on it another moment later. */
async function untilListening(socket: string, identity: ProcessIdentity): Promise<void> {
	await withDeadline("QEMU's monitor", 10_000, async (signal) => {
		while (!existsSync(socket) || (await isRefused(socket))) {
			if (!isAlive(identity)) throw new Error("QEMU ended at once");
			await systemClock.sleep(2, signal);
		}
	});
}

/** The file of a socket is there before anybody listens: between bind(2) and listen(2) connections are refused. */
async function isRefused(socket: string): Promise<boolean> {
	const { promise, resolve } = Promise.withResolvers<boolean>();
	const attempt = connect(socket, () => resolve(false));
	attempt.once("error", (error) => resolve(errorCode(error) === "ECONNREFUSED"));
	const refused = await promise;
	attempt.destroy();
	return refused;
}
