import { existsSync } from "node:fs";
import { rm, statfs } from "node:fs/promises";
import { formatSize } from "../../api/units.ts";
import { readUntrustedTail } from "../../host/files.ts";
import { isAlive } from "../../host/process.ts";
import { untilProcessorsAreFree } from "../../host/processors.ts";
import type { Sandbox } from "../../network/sandbox.ts";
import { platformOf } from "../../qemu/guests.ts";
import type { Disk } from "../../qemu/hardware.ts";
import type { MachineEvent, QemuMachine } from "../../qemu/machine.ts";
import type { Adopted, Machine, Machines, Standby } from "../../session/env.ts";
import type { Pulse, Sign } from "../../session/evidence.ts";
import type { SessionRecord } from "../../session/state.ts";
import type { StoredServer } from "../../store/servers.ts";
import type { Context } from "../context.ts";
import { definitionMark } from "../definition-mark.ts";
import {
	dataDisksOf,
	generationOf,
	guestOf,
	hardwareOf,
	hasScreen,
	imagesUid,
	isInstalling,
	isWarm,
	memoryOf,
	portOf,
} from "../resolve.ts";
import { pressAnyKey } from "./any-key.ts";
import { beginChanges, dropChanges, keepChanges } from "./changes.ts";
import { presentDrives } from "./discs.ts";
import { type Launched, Launcher } from "./launcher.ts";
import { Seals } from "./seals.ts";
import { SessionMachine } from "./session-machine.ts";
import { signOf } from "./signs.ts";
import { loadStandby } from "./standby.ts";
import { watchTpm } from "./tpm.ts";

const consoleTailBytes = 64 * 1024;
/** What is left free for everybody else. */
const dumpReserveBytes = 2 ** 30;
const thawsWithinMs = 10_000;
/**
 * Milliseconds from when a session began to serve, in which the next one is not loaded while all processors are busy, unless users
 * wait for it: until all that it serves is back it has much to do (an emulated controller for fifteen seconds).
 */
const standsBackForMs = 20_000;

/** Sessions of one server on the real host. */
export class HostMachines implements Machines {
	/** The session that was started or taken over last. */
	current: SessionMachine | undefined;
	/** When it was, by a clock that nobody sets. */
	private currentSinceMs = Number.NEGATIVE_INFINITY;
	private readonly untilProcessorsAreFree = untilProcessorsAreFree;
	readonly seals: Seals;
	private readonly launcher: Launcher;
	private readonly context: Context;
	private readonly sandbox: Sandbox;
	private readonly services: () => Promise<Pick<Pulse, "services" | "answers">>;

	constructor(server: StoredServer, context: Context, sandbox: Sandbox, services: HostMachines["services"]) {
		this.context = context;
		this.sandbox = sandbox;
		this.services = services;
		this.launcher = new Launcher(server, context, sandbox);
		this.seals = new Seals(this.launcher, context);
	}

	get server(): StoredServer {
		return this.launcher.server;
	}

	set server(server: StoredServer) {
		this.launcher.server = server;
	}

	async start(number: number, onSign: (sign: Sign) => void, changing: boolean): Promise<Machine> {
		const { accelerator } = this.context.acceleration;
		// It may be changed while this one starts.
		const { server } = this;
		const generation = generationOf(server);
		const beginning = {
			session: number,
			accelerator,
			memory: { kind: "own" },
			generation,
			changing,
		} as const;
		const hardware = {
			...hardwareOf(server, beginning),
			drives: await presentDrives(server, this.context),
		};
		const launched = await this.launcher.start(
			{ number, hardware, importance: "serving" },
			listenFor(onSign),
		);
		const port = portOf(server, number);
		try {
			if (port) await this.sandbox.connect(port);
		} catch (error) {
			await this.launcher.cleanUp(number);
			throw error;
		}
		if (asksForKey(server)) void pressAnyKey(launched.qemu, accelerator, launched.startedAt);
		return this.machine(launched.qemu, this.recordOf(number, launched, "boot", server), dataDisksOf(server));
	}

	/** @param yields whether others do its server's work meanwhile */
	async setYielding(yields: boolean): Promise<void> {
		await this.launcher.setYielding(yields);
	}

	async beginChanges(): Promise<void> {
		await beginChanges(this.server, this.context.paths.server(this.server.name));
	}

	async keepChanges(): Promise<void> {
		const { paths } = this.context;
		await keepChanges(this.server, paths.server(this.server.name), imagesUid(paths.state));
	}

	async dropChanges(): Promise<void> {
		await dropChanges(this.context.paths.server(this.server.name));
	}

	async prepareSeal(signal: AbortSignal): Promise<string | undefined> {
		const pid = this.current?.session.pid;
		return await this.seals.prepare(pid === undefined ? [] : [pid], signal);
	}

	async makeSeal(number: number, signal: AbortSignal): Promise<void> {
		await this.seals.make(number, signal);
	}

	async dropSeal(): Promise<boolean> {
		return await this.seals.clear();
	}

	async load(
		number: number,
		awaited: boolean,
		onLost: (why: string) => void,
		signal: AbortSignal,
	): Promise<Standby> {
		const standsBackMs = this.currentSinceMs + standsBackForMs - performance.now();
		if (!awaited && standsBackMs > 0) await this.untilProcessorsAreFree(standsBackMs, signal);
		return await loadStandby({
			...{ number, awaited },
			launcher: this.launcher,
			seals: this.seals,
			sandbox: this.sandbox,
			accelerator: this.context.acceleration.accelerator,
			onLost,
			signal,
			log: this.context.log,
			recordOf: (launched, server) => this.recordOf(number, launched, "seal", server),
			machine: (launched, session, disks) => this.machine(launched.qemu, session, disks),
		});
	}

	/** An earlier daemon may have ended right after it had frozen a session's file systems, to end that session. */
	private async thaw(qemu: QemuMachine, session: number): Promise<void> {
		try {
			await qemu.thawFiles(thawsWithinMs);
		} catch (error) {
			const server = this.server.name;
			this.context.log.warn(
				{ err: error, server, session },
				"file systems may be frozen in a session taken over",
			);
		}
	}

	async adopt(session: SessionRecord, onSign: (sign: Sign) => void): Promise<Adopted> {
		const identity = { pid: session.pid, startTime: session.startTime };
		if (session.bootId !== this.context.bootId || !isAlive(identity)) return "ended";
		try {
			const qemu = await this.launcher.connect(identity, session.number, listenFor(onSign));
			const port = portOf(this.server, session.number);
			// An earlier daemon may have ended while it handed over to another session, which is ended by now.
			if (port) await this.sandbox.connect(port).catch((err) => this.context.log.warn({ err }, "no address"));
			await this.launcher
				.takeOver(session.number)
				.catch((err) => this.context.log.warn({ err }, "the share of a session could not be set"));
			if (asksForKey(this.server)) void pressAnyKey(qemu, session.accelerator, session.startedAt);
			if (isWarm(this.server)) void this.thaw(qemu, session.number);
			return this.machine(qemu, session, dataDisksOf(this.server));
		} catch (error) {
			// Alive, yet without a monitor: nothing can be asked of it any more. cleanUp() ends it.
			this.context.log.warn(
				{ err: error, server: this.server.name, session: session.number },
				"a session cannot be taken over",
			);
			return isAlive(identity) ? "unreachable" : "ended";
		}
	}

	async sameBoot(bootId: string): Promise<boolean> {
		return bootId === this.context.bootId;
	}

	async keepRemains(number: number, incident: string): Promise<string[]> {
		const tail = await readUntrustedTail(this.launcher.files(number).console, consoleTailBytes);
		return tail ? [await this.context.incidents.keep(this.server.name, incident, "console.txt", tail)] : [];
	}

	async cleanUp(number: number): Promise<boolean> {
		const ended = await this.launcher.cleanUp(number);
		if (ended) await rm(this.launcher.files(number).dump, { recursive: true, force: true });
		return ended;
	}

	/** A dump must not fill the disk that all servers have their own on. */
	private async requireRoomForDump(number: number): Promise<void> {
		const { own, dump } = this.launcher.files(number);
		// One that is being written already, as an earlier daemon began it, was asked about then.
		if (existsSync(dump)) return;
		const { bavail, bsize } = await statfs(own);
		const needed = memoryOf(this.server) + dumpReserveBytes;
		if (bavail * bsize >= needed) return;
		const [room, most] = [bavail * bsize, needed].map(formatSize);
		throw new Error(`the host's disk has ${room} of room, and a dump may need ${most}`);
	}

	/** It is over for a session: nothing leaves it any more, and its process comes after all others. */
	private async rest(number: number): Promise<void> {
		const port = portOf(this.server, number);
		if (port) await this.sandbox.closePort(port);
		await this.launcher.setImportance(number, "waiting");
	}

	/** @param server as it was when the session was begun: its hardware is that, whatever holds by now */
	private recordOf(
		number: number,
		{ identity, startedAt }: Launched,
		from: SessionRecord["from"],
		server: StoredServer,
	) {
		const { bootId, acceleration } = this.context;
		const definition = definitionMark(server.definition);
		return {
			number,
			...identity,
			bootId,
			startedAt,
			accelerator: acceleration.accelerator,
			definition,
			from,
		};
	}

	private machine(
		qemu: QemuMachine,
		session: Omit<SessionRecord, "readyAt">,
		dataDisks: readonly Disk[],
	): SessionMachine {
		const keep = async (incident: string, name: string, content: string | Buffer) =>
			await this.context.incidents.keep(this.server.name, incident, name, content);
		this.currentSinceMs = performance.now();
		this.current = new SessionMachine(qemu, session, {
			services: this.services,
			files: this.launcher.files(session.number),
			keep,
			keepFile: async (incident, name, path) =>
				await this.context.incidents.keepFile(this.server.name, incident, name, path),
			screens: hasScreen(this.server) ? this.context.screens : undefined,
			requireRoom: async () => await this.requireRoomForDump(session.number),
			tpmLives: watchTpm(`${this.server.name}#${session.number}`, this.launcher.files(session.number)),
			evidence: this.server.definition.recovery?.evidence ?? "registers",
			openSockets: async () => await this.launcher.openSockets(session.number),
			dataDisks,
			rest: async () => await this.rest(session.number),
		});
		return this.current;
	}
}

/** With BIOS Windows' disc asks only when there is something else to boot. */
function asksForKey(server: StoredServer): boolean {
	return isInstalling(server) && platformOf(guestOf(server), "tcg", server.definition).firmware !== "bios";
}

function listenFor(onSign: (sign: Sign) => void): (event: MachineEvent) => void {
	return (event) => {
		const sign = signOf(event);
		if (sign) onSign(sign);
	};
}
