import { chmod, chown, mkdir, readdir, readFile, rm } from "node:fs/promises";
import { explain } from "../../api/errors.ts";
import { ControlGroup } from "../../host/cgroup.ts";
import { launchConfined, launchedProcess } from "../../host/confine.ts";
import { readUntrustedTail, writeFileAtomic } from "../../host/files.ts";
import { endProcess, isAlive, type ProcessIdentity } from "../../host/process.ts";
import type { Sandbox } from "../../network/sandbox.ts";
import { commandLine } from "../../qemu/command-line/index.ts";
import { type Hardware, inside } from "../../qemu/hardware.ts";
import { createOverlay } from "../../qemu/image.ts";
import { type MachineEvent, QemuMachine } from "../../qemu/machine.ts";
import type { Adopted, Machine, Machines } from "../../session/env.ts";
import type { Sign } from "../../session/evidence.ts";
import type { SessionRecord } from "../../session/state.ts";
import type { StoredServer } from "../../store/servers.ts";
import { type Context, sessionGroup } from "../context.ts";
import { cpusOf, hardwareOf, memoryOf, portOf, qemuUid } from "../resolve.ts";
import { makeDevices } from "./devices.ts";
import { SessionMachine } from "./session-machine.ts";
import { signOf } from "./signs.ts";

/** Beyond the guest's own memory: QEMU itself, its screen, and the translated code of TCG. */
const overheadBytes = 384 * 2 ** 20;
/** QEMU uses up to 64 threads for disk work beside those of the processors. */
const tasks = 160;
const sessionsKept = 20;
const consoleTailBytes = 64 * 1024;

/** Sessions of one server on the real host. */
export class HostMachines implements Machines {
	server: StoredServer;
	/** The session that was started or taken over last. */
	current: SessionMachine | undefined;
	private readonly context: Context;
	private readonly sandbox: Sandbox;
	private readonly health: () => Promise<Record<string, "up" | "down" | "unknown">>;

	constructor(server: StoredServer, context: Context, sandbox: Sandbox, health: HostMachines["health"]) {
		this.server = server;
		this.context = context;
		this.sandbox = sandbox;
		this.health = health;
	}

	async start(number: number, onSign: (sign: Sign) => void): Promise<Machine> {
		await using undo = new AsyncDisposableStack();
		undo.defer(async () => void (await this.cleanUp(number)));
		const { accelerator } = this.context.acceleration;
		const hardware = hardwareOf(this.server, number, accelerator);
		const command = commandLine(hardware);
		await this.makeFolders(number, command);
		const port = portOf(this.server);
		if (port) await this.sandbox.addPort(port);
		const group = await this.makeGroup(number);
		const launched = await this.launch(number, hardware, command, group);
		const { identity } = launched;
		const qemu = await this.connect(identity, number, onSign, launched.ended).catch(async (cause) => {
			throw await this.withWords(number, cause);
		});
		// QEMU has made its sockets: from here on it can put nothing else in their place.
		await this.closeSockets(number);
		undo.move();
		const definition = this.definitionMark();
		const { bootId } = this.context;
		return this.machine(qemu, {
			number,
			...identity,
			bootId,
			startedAt: Date.now(),
			accelerator,
			definition,
		});
	}

	async adopt(session: SessionRecord, onSign: (sign: Sign) => void): Promise<Adopted> {
		const identity = { pid: session.pid, startTime: session.startTime };
		if (session.bootId !== this.context.bootId || !isAlive(identity)) return "ended";
		try {
			const qemu = await this.connect(identity, session.number, onSign);
			return this.machine(qemu, session);
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
		const tail = await readUntrustedTail(this.files(number).console, consoleTailBytes);
		return tail ? [await this.context.incidents.keep(this.server.name, incident, "console.txt", tail)] : [];
	}

	async cleanUp(number: number): Promise<boolean> {
		const { paths, groups, log } = this.context;
		const stuck = await ControlGroup.at(this.groupPath(number), groups).destroy();
		if (stuck.length > 0 || !(await this.endLeftover(number))) {
			log.error({ server: this.server.name, session: number, pids: stuck }, "processes do not end");
			return false;
		}
		await rm(paths.sockets(this.server.name, number), { recursive: true, force: true });
		await rm(this.files(number).overlay, { force: true });
		const port = portOf(this.server);
		if (port)
			await this.sandbox.removePort(port).catch((err) => log.warn({ err }, "a port could not be removed"));
		return true;
	}

	/** On a host without control groups the session's own note of its process is all there is. */
	private async endLeftover(number: number): Promise<boolean> {
		const process = launchedProcess(this.files(number).launch);
		if (!process) return true;
		const command = await readFile(`/proc/${process.pid}/cmdline`, "utf8").catch(() => "");
		// The pid may belong to another process by now.
		if (!command.includes(`\0guest=${this.server.name}#${number},`)) return true;
		return await endProcess(process, 0);
	}

	/** Tells definitions apart, to see whether a running session has the current one. */
	definitionMark(): string {
		const { template: _, publish: __, recovery: ___, start: ____, ...hardware } = this.server.definition;
		return JSON.stringify(hardware);
	}

	private files(number: number) {
		return this.context.paths.server(this.server.name).session(number);
	}

	private groupPath(number: number): string {
		return sessionGroup(this.context.paths, this.server.name, number);
	}

	private async makeFolders(number: number, command: string[]): Promise<void> {
		const { paths } = this.context;
		const files = this.files(number);
		const sockets = paths.sockets(this.server.name, number);
		await mkdir(files.own, { recursive: true, mode: 0o700 });
		await mkdir(sockets, { recursive: true, mode: 0o700 });
		await writeFileAtomic(files.argv, `${JSON.stringify(command, null, "\t")}\n`);
		if (this.server.installed.systemDisk === "disposable") {
			await createOverlay(files.overlay, `${inside.disks}/system.qcow2`, this.server.installed.systemBytes);
			await chown(files.overlay, qemuUid(this.server), qemuUid(this.server));
		}
		for (const folder of [files.own, sockets])
			await chown(folder, qemuUid(this.server), qemuUid(this.server));
		await this.forgetOldSessions(number);
	}

	private async forgetOldSessions(number: number): Promise<void> {
		const { folder } = this.files(number);
		for (const name of await readdir(`${folder}/..`)) {
			if (Number(name) <= number - sessionsKept)
				await rm(this.files(Number(name)).folder, { recursive: true });
		}
	}

	private async closeSockets(number: number): Promise<void> {
		const folder = this.context.paths.sockets(this.server.name, number);
		await chown(folder, 0, qemuUid(this.server));
		await chmod(folder, 0o750);
	}

	private async makeGroup(number: number): Promise<ControlGroup> {
		const cpus = cpusOf(this.server);
		const limits = {
			memoryBytes: memoryOf(this.server) + overheadBytes,
			// The processors of the guest, and a quarter for QEMU's own threads.
			cpus: cpus + 0.25,
			tasks: tasks + cpus * 2,
			cpuWeight: 50,
		};
		return await ControlGroup.create(this.groupPath(number), limits, this.context.groups);
	}

	private async launch(number: number, hardware: Hardware, command: string[], group: ControlGroup) {
		const { paths } = this.context;
		const own = paths.server(this.server.name);
		const files = this.files(number);
		const kept = hardware.disks.filter((disk) => disk.keep === "kept");
		const base = hardware.disks.filter((disk) => disk.keep === "throw-away");
		const kernel = hardware.boot.kind === "kernel" ? [[own.boot, inside.boot] as const] : [];
		return await launchConfined(
			{
				namespace: this.sandbox.namespace,
				uid: qemuUid(this.server),
				groups: group.entries,
				writable: [
					[files.own, inside.session],
					[paths.sockets(this.server.name, number), inside.sockets],
					...kept.map((disk) => [own.disk(disk.name), disk.file] as const),
				],
				readable: [
					...kernel,
					...base.map((disk) => [own.disk(disk.name), `${inside.disks}/${disk.name}.qcow2`] as const),
				],
				devices: await makeDevices(own, qemuUid(this.server), hardware),
				workingFolder: inside.session,
			},
			command,
			{ status: files.launch, output: files.output },
		);
	}

	private async connect(
		identity: ProcessIdentity,
		number: number,
		onSign: (sign: Sign) => void,
		ended?: Promise<number>,
	): Promise<QemuMachine> {
		const folders = {
			session: this.files(number).own,
			sockets: this.context.paths.sockets(this.server.name, number),
		};
		const onEvent = (event: MachineEvent) => {
			const sign = signOf(event);
			if (sign) onSign(sign);
		};
		return await QemuMachine.connect(identity, folders, onEvent, ended);
	}

	/** QEMU says on standard error why it would not start. */
	private async withWords(number: number, cause: unknown): Promise<Error> {
		const said = (await readUntrustedTail(this.files(number).output, 500))?.toString("utf8").trim();
		return new Error(said ? `QEMU says: ${said}` : explain(cause), { cause });
	}

	private machine(qemu: QemuMachine, session: Omit<SessionRecord, "readyAt">): SessionMachine {
		const keep = async (incident: string, name: string, content: string | Buffer) =>
			await this.context.incidents.keep(this.server.name, incident, name, content);
		const open = async () => {
			const folder = this.context.paths.sockets(this.server.name, session.number);
			await chown(folder, qemuUid(this.server), qemuUid(this.server));
			return { [Symbol.asyncDispose]: async () => await this.closeSockets(session.number) };
		};
		this.current = new SessionMachine(qemu, session, {
			health: this.health,
			files: this.files(session.number),
			keep,
			openSockets: open,
		});
		return this.current;
	}
}
