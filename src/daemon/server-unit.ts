import { join } from "node:path";
import { BulkheadError, explain } from "../api/errors.ts";
import type { GuestDisk } from "../api/guest-disks.ts";
import type { ServerView } from "../api/server.ts";
import { DeadlineError, systemClock } from "../host/clock.ts";
import type { Sandbox } from "../network/sandbox.ts";
import type { GuestRun, GuestRunOptions } from "../qemu/agent.ts";
import { platformOf } from "../qemu/guests.ts";
import type { Command } from "../session/input.ts";
import type { Other } from "../session/others.ts";
import type { ServerRecord } from "../session/state.ts";
import { type Policy, Supervisor } from "../session/supervisor.ts";
import type { Paths, ServerPaths } from "../store/paths.ts";
import { awaitsDomain, type StoredServer } from "../store/servers.ts";
import { removeAnswersMedia } from "../templates/windows/media.ts";
import type { Context } from "./context.ts";
import { isOutdated, standbyMark } from "./definition-mark.ts";
import { HostDoor } from "./parts/door.ts";
import { HostJournal } from "./parts/journal.ts";
import { pressKeys } from "./parts/keys.ts";
import { HostMachines } from "./parts/machines.ts";
import { publishedOf } from "./published.ts";
import { busOf, cpusOf, discOf, drivesOf, guestOf, hasScreen, memoryOf, policyOf } from "./resolve.ts";

const disksWithinMs = 10_000;
/** How long a crashed session has for a dump, before it is ended without one. */
const dumpWithinMs = 600_000;

/** One server with all its parts on the real host. */
export class ServerUnit {
	stored: StoredServer;
	readonly door: HostDoor;
	readonly supervisor: Supervisor;
	private readonly machines: HostMachines;
	private readonly paths: Paths;
	/** Its disks are being read from beginning to end. */
	private exported = false;
	/** How many commands it carries out at the moment. */
	private commands = 0;

	private constructor(
		stored: StoredServer,
		record: ServerRecord,
		context: Context,
		sandbox: Sandbox,
		journal: HostJournal,
		others: (names: readonly string[]) => Other[],
	) {
		this.stored = stored;
		this.paths = context.paths;
		this.door = new HostDoor(stored, context, sandbox);
		this.machines = new HostMachines(stored, context, sandbox, async () => await this.door.look());
		const env = {
			...{ clock: systemClock, machines: this.machines, door: this.door, journal },
			others: () => others(this.stored.definition.after ?? []),
		};
		this.supervisor = new Supervisor(supervisionOf(stored), record, env);
	}

	/**
	 * Takes a server into supervision; a session that an earlier daemon started is taken over.
	 * @param others says how other servers are; those that it comes after
	 */
	static async open(
		stored: StoredServer,
		context: Context,
		sandbox: Sandbox,
		others: (names: readonly string[]) => Other[],
	): Promise<ServerUnit> {
		const journal = new HostJournal(stored.name, context);
		const record = await journal.loadRecord();
		return new ServerUnit(stored, record, context, sandbox, journal, others);
	}

	/** Takes a changed definition: the front door and the policy at once, the hardware with the next session. */
	async change(stored: StoredServer): Promise<void> {
		const differs = standbyMark(stored) !== standbyMark(this.stored);
		this.stored = stored;
		this.machines.server = stored;
		this.door.server = stored;
		this.supervisor.change(supervisionOf(stored), differs);
		await this.door.open();
	}

	/**
	 * What a person asks of it, or what starts it by itself.
	 * @throws BulkheadError not-allowed-now, when its state does not allow it or its disks are being exported
	 */
	async command(command: Command): Promise<void> {
		// Whatever else there is may begin a session, or change its disks.
		if (command.do !== "maintenance" || !command.on) this.refuseWhileExported();
		this.commands++;
		try {
			await this.supervisor.command(command);
		} finally {
			this.commands--;
		}
	}

	/** Does what reads its disks as a whole; nobody may write to them meanwhile. @throws BulkheadError not-allowed-now */
	async whileExported(work: () => Promise<void>): Promise<void> {
		this.refuseWhileExported();
		if (this.commands > 0)
			throw new BulkheadError(
				"not-allowed-now",
				`${this.stored.name} is doing what it was just told to; export it when that is done`,
			);
		this.exported = true;
		try {
			await work();
		} finally {
			this.exported = false;
		}
	}

	/** @throws BulkheadError not-allowed-now */
	refuseWhileExported(): void {
		if (!this.exported) return;
		const { name } = this.stored;
		throw new BulkheadError("not-allowed-now", `${name} is being exported; wait for that to end, or end it`);
	}

	/** @param yields whether others do its work meanwhile, so that they come first */
	async setYielding(yields: boolean): Promise<void> {
		await this.machines.setYielding(yields);
	}

	get record(): ServerRecord {
		return this.supervisor.record;
	}

	view(): ServerView {
		const { record, stored } = this;
		const { recovery } = stored.definition;
		const policy = supervisionOf(stored);
		return {
			name: stored.name,
			state: record.state,
			reason: reasonOf(stored, record, this.supervisor.remark),
			wanted: record.wanted,
			maintenance: record.maintenance,
			changing: record.changing,
			source: stored.installed.source,
			memoryBytes: memoryOf(stored),
			cpus: cpusOf(stored),
			...hardwareView(stored, this.paths.server(stored.name)),
			systemDisk: stored.installed.systemDisk,
			systemBus: busOf(stored),
			dataDisks: (stored.definition.data ?? []).map(({ name }) => name),
			address: stored.definition.network?.address ?? null,
			domain: stored.domain,
			published: publishedOf(stored),
			after: stored.definition.after ?? [],
			recovery: {
				mode: recovery?.mode ?? "cold",
				attempts: policy.budget.attempts,
				withinMs: policy.budget.withinMs,
			},
			watch: watchWords(policy.hearing),
			session: sessionView(record),
			warm: this.supervisor.warm,
			incidents: record.incidents,
			restartNeeded: record.session !== null && isOutdated(record.session.definition, stored.definition),
		};
	}

	/** Lets go of what it keeps in memory for its next sessions. */
	close(): void {
		this.machines.seals.close();
	}

	/** @returns the screen as PNG. @throws BulkheadError not-allowed-now, guest-did-not-answer */
	async screenshot(): Promise<Buffer> {
		const machine = this.machines.current;
		if (!machine || !this.record.session) throw this.noSession();
		return await machine.qemu.screenshot().catch((cause) => {
			throw new BulkheadError("guest-did-not-answer", `QEMU made no picture: ${explain(cause)}`, { cause });
		});
	}

	/**
	 * Runs a program in its guest, by the guest agent.
	 * @throws BulkheadError not-allowed-now, guest-did-not-answer; AgentError with what it wrote when it fails
	 */
	async runInGuest(
		command: readonly string[],
		deadlineMs: number,
		options?: GuestRunOptions,
	): Promise<GuestRun> {
		const machine = this.machines.current;
		if (!machine || !this.record.session) throw this.noSession();
		const [path = "", ...args] = command;
		return await machine.qemu.runInGuest(path, args, deadlineMs, options).catch((cause) => {
			throw cause instanceof DeadlineError
				? new BulkheadError("guest-did-not-answer", `${this.stored.name} did not answer in time`, { cause })
				: cause;
		});
	}

	/** Reads a file inside its guest. @returns undefined when there is none, or no session or agent @throws AgentError, DeadlineError */
	async readGuestFile(path: string, limit: number, deadlineMs: number): Promise<Buffer | undefined> {
		const machine = this.record.session ? this.machines.current : undefined;
		return machine?.qemu.hasAgent ? await machine.qemu.readGuestFile(path, limit, deadlineMs) : undefined;
	}

	/** @returns its disks as its guest sees them. @throws BulkheadError not-allowed-now, guest-did-not-answer */
	async guestDisks(): Promise<GuestDisk[]> {
		const machine = this.machines.current;
		if (!machine || !this.record.session) throw this.noSession();
		if (!machine.qemu.hasAgent)
			throw new BulkheadError("guest-did-not-answer", `no guest agent answers in ${this.stored.name}`);
		return await machine.qemu.guestDisks(disksWithinMs).catch((cause) => {
			throw new BulkheadError("guest-did-not-answer", `${this.stored.name}: ${explain(cause)}`, { cause });
		});
	}

	/** @returns the path of its serial console's socket. @throws BulkheadError not-allowed-now */
	consoleSocket(): string {
		const { session } = this.record;
		if (!session) throw this.noSession();
		return join(this.paths.sockets(this.stored.name, session.number), "console.sock");
	}

	/** @returns the path of the socket by which its screen is watched (VNC). @throws BulkheadError not-allowed-now */
	screenSocket(): string {
		const { session } = this.record;
		if (!session) throw this.noSession();
		if (!hasScreen(this.stored))
			throw new BulkheadError(
				"not-allowed-now",
				`${this.stored.name} was made from a template, whose guests are used by their serial console: bulkhead console ${this.stored.name}`,
			);
		return join(this.paths.sockets(this.stored.name, session.number), "vnc.sock");
	}

	/**
	 * Presses keys, one combination after the other.
	 * @throws BulkheadError not-allowed-now, bad-input for a key that there is not, guest-did-not-answer; those before it were pressed
	 */
	async pressKeys(keys: readonly string[]): Promise<void> {
		const machine = this.machines.current;
		if (!machine || !this.record.session) throw this.noSession();
		await pressKeys(this.stored.name, machine.qemu, keys);
	}

	/** Takes the discs out of its CD drives, of the session that runs and of all later ones. @returns the files that were in */
	async eject(context: Context): Promise<string[]> {
		const { stored } = this;
		const filled = drivesOf(stored).filter(({ file }) => file !== null);
		const paths = context.paths.server(stored.name);
		const discs = filled.map((drive) => discOf(stored, drive, paths));
		const ejected = {
			...stored,
			ejected: [...new Set([...stored.ejected, ...discs.map(({ name }) => name)])],
		};
		await context.servers.save(ejected);
		this.stored = ejected;
		this.machines.server = ejected;
		this.door.server = ejected;
		// First: it holds passwords, and what follows may fail.
		await removeAnswersMedia(paths.answers);
		const machine = this.record.session ? this.machines.current : undefined;
		for (const drive of machine ? filled : [])
			await machine?.qemu.eject(drive).catch((err) => {
				// One that the session does not have yet, or one of a session that is just ending.
				context.log.warn({ err, server: stored.name, drive: drive.name }, "a disc could not be taken out");
			});
		return discs.map(({ file }) => file);
	}

	private noSession(): BulkheadError {
		return new BulkheadError(
			"not-allowed-now",
			`${this.stored.name} is ${this.record.state} and has no session`,
		);
	}
}

function reasonOf(stored: StoredServer, { state, reason }: ServerRecord, remark: string): string {
	// A boot may have a reason and somebody to wait for.
	if (reason) return state === "starting" && remark ? `${reason}; ${remark}` : reason;
	if (awaitsDomain(stored)) return `its domain is yet to be made: bulkhead domain create ${stored.name}`;
	return remark;
}

/** What is decided by its definition, and by how it boots: what templates bring along has no screens that would tell anything. */
function supervisionOf(stored: StoredServer): Policy {
	const policy = policyOf(stored);
	const { recovery } = stored.definition;
	const does = recovery?.onCrash ?? "new-session-now";
	const hearing = { ...policy.hearing, screen: hasScreen(stored) };
	return does === "new-session-now"
		? { ...policy, hearing }
		: { ...policy, hearing, onCrash: { does, withinMs: dumpWithinMs } };
}

function watchWords({ agent, services, screen }: Policy["hearing"]): string[] {
	return [
		"panic device",
		...(screen ? ["screen"] : []),
		...(agent ? ["guest agent"] : []),
		...services.map((service) => `health of ${service}`),
	];
}

function hardwareView(
	stored: StoredServer,
	paths: ServerPaths,
): Pick<ServerView, "guest" | "firmware" | "tpm" | "discs"> {
	const guest = guestOf(stored);
	const { firmware, tpm } = platformOf(guest, "tcg", stored.definition);
	const discs = drivesOf(stored)
		.filter(({ file }) => file !== null)
		.map((drive) => discOf(stored, drive, paths).file);
	return { guest, firmware, tpm: tpm !== "none", discs };
}

function sessionView({ session }: ServerRecord): ServerView["session"] {
	if (!session) return null;
	const { number, pid, startedAt, readyAt, accelerator, from } = session;
	// Records of earlier versions do not say it.
	return { number, pid, startedAt, readyAt, accelerator, from: from ?? "boot" };
}
