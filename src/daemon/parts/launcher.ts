import { chmod, chown, mkdir, readFile, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { explain } from "../../api/errors.ts";
import { ControlGroup } from "../../host/cgroup.ts";
import { type ConfinedProcess, launchConfined, launchedProcess } from "../../host/confine.ts";
import { readUntrustedTail, writeFileAtomic } from "../../host/files.ts";
import { endProcess, type ProcessIdentity } from "../../host/process.ts";
import type { Sandbox } from "../../network/sandbox.ts";
import { commandLine } from "../../qemu/command-line/index.ts";
import { type Disk, type Hardware, inside } from "../../qemu/hardware.ts";
import { createOverlay } from "../../qemu/image.ts";
import { frameFolderBytes, type MachineEvent, QemuMachine } from "../../qemu/machine.ts";
import type { StoredServer } from "../../store/servers.ts";
import { type Context, sessionGroup } from "../context.ts";
import {
	changesInside,
	cpusOf,
	dataDisksOf,
	discOf,
	memoryOf,
	portOf,
	qemuUid,
	timeZoneOf,
} from "../resolve.ts";
import { makeDevices } from "./devices.ts";
import { ensureVariables } from "./firmware.ts";
import { type Importance, importance, ServingShare } from "./importance.ts";
import { forgetOldSessions } from "./old-sessions.ts";
import { localTime } from "./time-zone.ts";
import { endTpm, startTpm } from "./tpm.ts";

/** Beyond the guest's own memory: QEMU itself, its screen, and the translated code of TCG. */
const overheadBytes = 384 * 2 ** 20;
/** QEMU uses up to 64 threads for disk work beside those of the processors. */
const tasks = 160;

/** Where a frozen system disk overlay is inside the confinement of a session that starts from it. */
export const sealedSystem = `${inside.disks}/seal.qcow2`;

export interface LaunchPlan {
	number: number;
	hardware: Hardware;
	importance: Importance;
	/** Open files that QEMU gets as its descriptors 4, 5, … */
	descriptors?: readonly number[];
	/** Whether the overlay of its system disk lies on the seal's frozen one. */
	fromSeal?: boolean;
}

export interface Launched {
	qemu: QemuMachine;
	identity: ProcessIdentity;
	/** Resolves when nothing of the process is left, its memory neither. */
	ended: Promise<number>;
	startedAt: number;
}

/** Starts and clears away the processes of one server's sessions. */
export class Launcher {
	server: StoredServer;
	private readonly context: Context;
	private readonly sandbox: Sandbox;
	private readonly share: ServingShare;

	constructor(server: StoredServer, context: Context, sandbox: Sandbox) {
		this.server = server;
		this.context = context;
		this.sandbox = sandbox;
		this.share = new ServingShare(
			async (number, weight) => await ControlGroup.weigh(this.groupOf(number), weight, context.groups),
			(err) => context.log.warn({ err, server: this.server.name }, "its share of the processors stays small"),
		);
	}

	/** @throws Error in words when it could not be started; nothing is left then */
	async start(plan: LaunchPlan, onEvent: (event: MachineEvent) => void): Promise<Launched> {
		const { number } = plan;
		await using undo = new AsyncDisposableStack();
		undo.defer(async () => void (await this.cleanUp(number)));
		const command = commandLine(plan.hardware);
		await this.makeFolders(plan, command);
		const variables = await ensureVariables(this.own, qemuUid(this.server), plan.hardware);
		const port = portOf(this.server, number);
		if (port) await this.sandbox.addPort(port);
		const group = await this.setImportance(number, plan.importance);
		if (plan.hardware.platform.tpm !== "none") await this.startTpm(number, group);
		const launched = await this.launch(plan, command, group, variables);
		const { identity, ended } = launched;
		const qemu = await this.connect(identity, number, onEvent, ended).catch(async (cause) => {
			throw await this.withWords(number, cause);
		});
		// QEMU has made its sockets: from here on it can put nothing else in their place.
		await this.closeSockets(number);
		undo.move();
		return { qemu, identity, ended, startedAt: Date.now() };
	}

	async connect(
		identity: ProcessIdentity,
		number: number,
		onEvent: (event: MachineEvent) => void,
		ended?: Promise<number>,
	): Promise<QemuMachine> {
		const sockets = this.context.paths.sockets(this.server.name, number);
		return await QemuMachine.connect(identity, { session: this.files(number).own, sockets }, onEvent, ended);
	}

	/** Limits of a session's control group, made when it is not there. */
	async setImportance(number: number, level: Importance): Promise<ControlGroup> {
		const cpus = cpusOf(this.server);
		const limits = {
			memoryBytes: memoryOf(this.server) + overheadBytes,
			// The processors of the guest, and a quarter for QEMU's own threads.
			cpus: cpus + 0.25,
			tasks: tasks + cpus * 2,
		};
		return await this.share.become(
			number,
			level,
			async (cpuWeight) =>
				await ControlGroup.create(this.groupOf(number), { ...limits, cpuWeight }, this.context.groups),
		);
	}

	/** @param yields whether others do its server's work, so that they come first */
	async setYielding(yields: boolean): Promise<void> {
		await this.share.setYielding(yields);
	}

	/** A session that an earlier daemon started is the one that serves. */
	async takeOver(number: number): Promise<void> {
		await this.share.takeOver(number);
	}

	private groupOf(number: number): string {
		return sessionGroup(this.context.paths, this.server.name, number);
	}

	/** @returns false when a process of the session does not end */
	async cleanUp(number: number): Promise<boolean> {
		const { paths, groups, log } = this.context;
		const group = ControlGroup.at(this.groupOf(number), groups);
		const stuck = await group.destroy();
		const ended =
			(await this.endLeftover(number)) && (await endTpm(`${this.server.name}#${number}`, this.files(number)));
		if (stuck.length > 0 || !ended) {
			log.error({ server: this.server.name, session: number, pids: stuck }, "processes do not end");
			return false;
		}
		await rm(paths.sockets(this.server.name, number), { recursive: true, force: true });
		// The session may have made a folder of it.
		await rm(this.files(number).overlay, { recursive: true, force: true });
		const port = portOf(this.server, number);
		if (port)
			await this.sandbox.removePort(port).catch((err) => log.warn({ err }, "a port could not be removed"));
		return true;
	}

	/** QEMU says on standard error why it would not start, or go on. */
	async withWords(number: number, cause: unknown): Promise<Error> {
		const said = (await readUntrustedTail(this.files(number).output, 500))?.toString("utf8").trim();
		return new Error(said ? `QEMU says: ${said}` : explain(cause), { cause });
	}

	/** Lets QEMU make a further socket for as long as the result is not disposed of. */
	async openSockets(number: number): Promise<AsyncDisposable> {
		const folder = this.context.paths.sockets(this.server.name, number);
		await chown(folder, qemuUid(this.server), qemuUid(this.server));
		return { [Symbol.asyncDispose]: async () => await this.closeSockets(number) };
	}

	files(number: number) {
		return this.context.paths.server(this.server.name).session(number);
	}

	private async closeSockets(number: number): Promise<void> {
		const folder = this.context.paths.sockets(this.server.name, number);
		await chown(folder, 0, qemuUid(this.server));
		await chmod(folder, 0o750);
	}

	/** On a host without control groups the session's own note of its process is all there is. */
	private async endLeftover(number: number): Promise<boolean> {
		const process = await this.processOf(number);
		return process === undefined || (await endProcess(process, 0));
	}

	private async startTpm(number: number, group: ControlGroup): Promise<void> {
		const { name } = this.server;
		const around = {
			namespace: this.sandbox.namespace,
			uid: qemuUid(this.server),
			groups: group.entries,
		};
		const sockets = this.context.paths.sockets(name, number);
		await startTpm(`${name}#${number}`, around, this.own, this.files(number), sockets);
	}

	private get own() {
		return this.context.paths.server(this.server.name);
	}

	/** @returns the session's process, as it noted it itself, when it lives */
	private async processOf(number: number): Promise<ProcessIdentity | undefined> {
		const process = launchedProcess(this.files(number).launch);
		if (!process) return undefined;
		const command = await readFile(`/proc/${process.pid}/cmdline`, "utf8").catch(() => "");
		// The pid may belong to another process by now.
		return command.includes(`\0guest=${this.server.name}#${number},`) ? process : undefined;
	}

	private async makeFolders({ number, fromSeal }: LaunchPlan, command: string[]): Promise<void> {
		const files = this.files(number);
		const { name, installed } = this.server;
		const sockets = this.context.paths.sockets(name, number);
		const uid = qemuUid(this.server);
		await mkdir(files.own, { recursive: true, mode: 0o700 });
		await mkdir(sockets, { recursive: true, mode: 0o700 });
		await writeFileAtomic(files.argv, `${JSON.stringify(command, null, "\t")}\n`);
		if (installed.systemDisk === "disposable") {
			const base = fromSeal ? sealedSystem : `${inside.disks}/system.qcow2`;
			await createOverlay(files.overlay, base, installed.systemBytes);
			await chown(files.overlay, uid, uid);
		}
		for (const folder of [files.own, sockets]) await chown(folder, uid, uid);
		const lives = async (other: number) => (await this.processOf(other)) !== undefined;
		await forgetOldSessions(dirname(files.folder), number, lives);
	}

	private async launch(
		plan: LaunchPlan,
		command: string[],
		group: ControlGroup,
		variables: string | undefined,
	): Promise<ConfinedProcess> {
		const { number, hardware, fromSeal } = plan;
		const { own } = this;
		const files = this.files(number);
		const changing = hardware.disks.some((disk) => disk.file === changesInside);
		const throwAway = hardware.disks.some((disk) => disk.keep === "throw-away");
		const kept = hardware.disks.filter((disk) => disk.keep === "kept");
		const pathOf = (disk: Disk) => (disk.file === changesInside ? own.changes : own.disk(disk.name));
		// A session from a seal has no data disk yet, and finds them here when it begins.
		const later = hardware.memory.kind === "sealed" ? dataDisksOf(this.server) : [];
		return await launchConfined(
			{
				namespace: this.sandbox.namespace,
				uid: qemuUid(this.server),
				groups: group.entries,
				writable: [
					[files.own, inside.session],
					[this.context.paths.sockets(this.server.name, number), inside.sockets],
					...[...kept, ...later].map((disk) => [pathOf(disk), disk.file] as const),
					...(variables === undefined ? [] : [[variables, inside.firmware] as const]),
				],
				readable: [
					...(hardware.boot.kind === "kernel" ? [[own.boot, inside.boot] as const] : []),
					...(throwAway || changing ? [[own.disk("system"), `${inside.disks}/system.qcow2`] as const] : []),
					...(fromSeal ? [[own.seal.system, sealedSystem] as const] : []),
					...hardware.drives.flatMap((drive) =>
						drive.file === null ? [] : [[discOf(this.server, drive, own).file, drive.file] as const],
					),
				],
				inMemory: [{ inside: inside.frames, bytes: frameFolderBytes }],
				devices: await makeDevices(own, qemuUid(this.server), hardware),
				workingFolder: inside.session,
				...(hardware.platform.clock === "localtime" ? { environment: this.localTime() } : {}),
				// Memory in a file is opened by /proc/self/fd.
				ownProc: hardware.memory.kind !== "own",
				expendable: importance[plan.importance].expendable,
				// Its memory is the seal's, in small pages in any case; what is QEMU's own is small and far between.
				hugePages: !fromSeal,
			},
			command,
			{ status: files.launch, output: files.output },
			plan.descriptors,
		);
	}

	private localTime(): { TZ: string } {
		const wanted = timeZoneOf(this.server);
		const { environment, missing } = localTime(wanted);
		if (missing)
			this.context.log.warn(
				{ server: this.server.name, timeZone: wanted },
				"this host does not know the server's time zone (package tzdata): its clock is set by the host's",
			);
		return environment;
	}
}
