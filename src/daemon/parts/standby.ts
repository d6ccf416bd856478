import { closeSync, writeFileSync } from "node:fs";
import { withDeadline } from "../../host/clock.ts";
import type { Logger } from "../../host/log.ts";
import type { Sandbox } from "../../network/sandbox.ts";
import type { Disk } from "../../qemu/hardware.ts";
import type { MachineEvent, QemuMachine } from "../../qemu/machine.ts";
import type { Machine, Standby } from "../../session/env.ts";
import type { Sign } from "../../session/evidence.ts";
import type { StoredServer } from "../../store/servers.ts";
import { completeServicesOf, watchedServicesOf } from "../published.ts";
import { dataDisksOf, gatewayEndOf, portOf } from "../resolve.ts";
import { hurryAfter } from "./hurry.ts";
import { importance } from "./importance.ts";
import type { Launched, Launcher } from "./launcher.ts";
import { type Seals, sealedHardware, stateDescriptor } from "./seals.ts";
import type { SessionMachine } from "./session-machine.ts";
import { signOf } from "./signs.ts";

const wakePath = "/usr/lib/bulkhead/wake";
const wakesWithinMs = 30_000;
const rehearsesWithinMs = 10_000;
/** Milliseconds that it is loaded in what time the others leave; a busy host leaves none. */
const patienceMs = 5000;
const clockWithinMs = 2000;

export interface Loading {
	number: number;
	/** Whether users wait for it. */
	awaited: boolean;
	launcher: Launcher;
	seals: Seals;
	sandbox: Sandbox;
	accelerator: "kvm" | "tcg";
	onLost: (why: string) => void;
	signal: AbortSignal;
	log: Logger;
	recordOf: (launched: Launched, server: StoredServer) => SessionMachine["session"];
	/** Makes the machine of it that the supervisor knows. */
	machine: (
		launched: Launched,
		session: SessionMachine["session"],
		dataDisks: readonly Disk[],
	) => SessionMachine;
}

/**
 * Loads a session from the open seal, lets the guest become somebody of its own (number, clock, random numbers), and
 * pauses it. It has no network and no data disks meanwhile.
 * @throws Error in words; nothing of it is left then
 */
export async function loadStandby(loading: Loading): Promise<Standby> {
	const { number, awaited, launcher, seals, accelerator, signal } = loading;
	const seal = seals.open;
	if (!seal) throw new Error("there is no seal to start from");
	const events = new Events(loading.onLost);
	const state = seals.openState();
	await using undo = new AsyncDisposableStack();
	undo.defer(async () => void (await launcher.cleanUp(number)));
	const rehearsal = new Rehearsal(loading);
	// One that is broken off brings the port back, which is taken away after it.
	undo.defer(async () => await rehearsal.over());
	// It may be changed while this is being loaded.
	const { server } = launcher;
	let launched: Launched;
	try {
		const hardware = sealedHardware(server, number, accelerator);
		const descriptors = [seal.memory.descriptor, state];
		launched = await launcher.start(
			{ number, hardware, importance: awaited ? "late" : "loading", descriptors, fromSeal: true },
			(event) => events.take(event),
		);
	} finally {
		closeSync(state);
	}
	signal.throwIfAborted();
	const { qemu } = launched;
	await using _ = hurryAfter(patienceMs, loading);
	await withDeadline(
		`waking session ${number}`,
		wakesWithinMs,
		async (signal) => await wake(qemu, loading, async () => await rehearsal.play(signal)),
		signal,
	);
	signal.throwIfAborted();
	events.ready();
	undo.move();
	return new HostStandby(launched, loading, events, loading.recordOf(launched, server));
}

async function wake(
	qemu: QemuMachine,
	{ number, launcher, sandbox }: Loading,
	rehearse: () => Promise<void>,
): Promise<void> {
	try {
		await qemu.load(stateDescriptor);
	} catch (cause) {
		throw await launcher.withWords(number, cause);
	}
	const clock = qemu.setClock(wakesWithinMs);
	clock.catch(() => {});
	await qemu.resume();
	await clock;
	const seconds = String(Math.round(Date.now() / 1000));
	await qemu.runInGuest(wakePath, [String(number), seconds], wakesWithinMs);
	await rehearse();
	await qemu.pause();
	const port = portOf(launcher.server, number);
	if (!port) return;
	await qemu.holdPackets();
	await sandbox.openPort(port);
}

/** Without it the first users of the session wait longer, and no worse. */
class Rehearsal {
	private readonly loading: Loading;
	private playing: Promise<void> = Promise.resolve();

	constructor(loading: Loading) {
		this.loading = loading;
	}

	/** @throws the signal's reason, and nothing else */
	async play(signal: AbortSignal): Promise<void> {
		signal.throwIfAborted();
		this.playing = this.playNow(signal);
		await this.playing;
	}

	/** Waits for the end of one that is under way; at once when its signal is aborted. */
	async over(): Promise<void> {
		await this.playing.catch(() => {});
	}

	private async playNow(signal: AbortSignal): Promise<void> {
		const { number, launcher, sandbox, log } = this.loading;
		const { server } = launcher;
		const port = portOf(server, number);
		const services = [...completeServicesOf(server), ...watchedServicesOf(server)];
		const asks = services.flatMap(({ port, rehearse }) => rehearse.map((path) => ({ port, path })));
		const gateway = gatewayEndOf(server);
		if (!port || gateway === null || asks.length === 0) return;
		try {
			await sandbox.rehearse(port, gateway, asks, rehearsesWithinMs, signal);
		} catch (err) {
			signal.throwIfAborted();
			const where = { server: server.name, session: number };
			log.warn({ err, ...where }, "a session could not rehearse what it will be asked");
		}
	}
}

/** What QEMU says goes to whoever is concerned: at first to the loading, then to the waiting, at last to the session. */
class Events {
	private sink: (event: MachineEvent) => void;
	private failed: string | undefined;
	private readonly onLost: (why: string) => void;

	constructor(onLost: (why: string) => void) {
		this.onLost = onLost;
		this.sink = (event) => {
			this.failed ??= troubleOf(event);
		};
	}

	take(event: MachineEvent): void {
		this.sink(event);
	}

	/** @throws Error when something has happened to it by now */
	ready(): void {
		if (this.failed) throw new Error(this.failed);
		this.sink = (event) => {
			const trouble = troubleOf(event);
			if (trouble) this.onLost(trouble);
		};
	}

	begin(onSign: (sign: Sign) => void): void {
		this.sink = (event) => {
			const sign = signOf(event);
			if (sign) onSign(sign);
		};
	}
}

function troubleOf(event: MachineEvent): string | undefined {
	const sign = signOf(event);
	if (sign?.kind === "panicked") return "its guest panicked";
	if (sign?.kind === "process-ended") return "its process ended";
	return sign?.kind === "qmp-lost" ? "its monitor closed" : undefined;
}

class HostStandby implements Standby {
	readonly session: SessionMachine["session"];
	private readonly launched: Launched;
	private readonly loading: Loading;
	private readonly events: Events;

	constructor(launched: Launched, loading: Loading, events: Events, session: SessionMachine["session"]) {
		this.launched = launched;
		this.loading = loading;
		this.events = events;
		this.session = session;
	}

	async takeAddress(): Promise<void> {
		const { launcher, number, sandbox } = this.loading;
		const port = portOf(launcher.server, number);
		if (port) await sandbox.pointAt(port);
	}

	async wake(): Promise<void> {
		const { launcher, number } = this.loading;
		const { qemu } = this.launched;
		const promoted = launcher.setImportance(number, "serving");
		promoted.catch(() => {});
		this.keepFromBeingEnded();
		// Sent first, so that the guest finds it when it runs; no packet reaches it before its clock is right.
		const clock = qemu.setClock(clockWithinMs);
		clock.catch(() => {});
		await qemu.resume();
		await clock;
		await promoted;
	}

	async run(onSign: (sign: Sign) => void): Promise<Machine> {
		const { launcher, number } = this.loading;
		const { qemu } = this.launched;
		this.events.begin(onSign);
		// A guest that is busy with new disks sets its clock later.
		const disks = dataDisksOf(launcher.server);
		for (const disk of disks) await qemu.attach(disk);
		if (portOf(launcher.server, number)) await qemu.releasePackets();
		return this.loading.machine(this.launched, this.session, disks);
	}

	async close(): Promise<boolean> {
		const { qemu } = this.launched;
		qemu.leave();
		return await this.loading.launcher.cleanUp(this.session.number);
	}

	private keepFromBeingEnded(): void {
		try {
			writeFileSync(`/proc/${this.session.pid}/oom_score_adj`, String(importance.serving.expendable));
		} catch {
			// It has ended: whatever is asked of it next says so.
		}
	}
}
