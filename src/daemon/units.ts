import { BulkheadError, explain } from "../api/errors.ts";
import type { Other } from "../session/others.ts";
import type { StoredServer } from "../store/servers.ts";
import type { Context } from "./context.ts";
import { endStrays } from "./parts/door/strays.ts";
import type { Groups } from "./parts/groups.ts";
import { completeServicesOf } from "./published.ts";
import { markGone, removeRemains } from "./remains.ts";
import { ServerUnit } from "./server-unit.ts";
import type { SiteSandbox } from "./site-sandbox.ts";

/** A server that is not supervised. */
interface Aside {
	why: string;
	stored: StoredServer | undefined;
	isTried: boolean;
}

/** The servers of the site: those that are supervised, and those that cannot be. */
export class Units {
	private readonly context: Context;
	private readonly groups: Groups;
	private readonly sandbox: SiteSandbox;
	private readonly units = new Map<string, ServerUnit>();
	/** Servers that are there and not supervised yet: until they are, what they may do stays as it is. */
	private awaited: readonly StoredServer[] = [];
	/** Servers whose files are damaged, with the reason in words: nothing of theirs is touched until a person mended them. */
	private readonly aside = new Map<string, Aside>();

	constructor(context: Context, groups: Groups, sandbox: SiteSandbox) {
		this.context = context;
		this.groups = groups;
		this.sandbox = sandbox;
	}

	get count(): number {
		return this.units.size;
	}

	/** Those that are supervised. */
	list(): ServerUnit[] {
		return [...this.units.values()].sort((a, b) => a.stored.name.localeCompare(b.stored.name));
	}

	/** What is kept of those that are supervised; of all but one, when that is given. */
	stored(but?: ServerUnit): StoredServer[] {
		return this.list()
			.filter((unit) => unit !== but)
			.map(({ stored }) => stored);
	}

	/** @throws BulkheadError not-found, not-allowed-now */
	server(name: string): ServerUnit {
		const unit = this.units.get(name);
		if (unit) return unit;
		const aside = this.aside.get(name);
		if (aside) throw new BulkheadError("not-allowed-now", `${name} is not supervised: ${aside.why}`);
		throw new BulkheadError(
			"not-found",
			`there is no server ${name.slice(0, 40)}; \`bulkhead list\` shows all`,
		);
	}

	// ---- servers that cannot be supervised

	isAside(name: string): boolean {
		return this.aside.has(name);
	}

	/** It is told once for each reason. @param isTried whether it is tried again by itself */
	setAside(name: string, error: unknown, stored: StoredServer | undefined, isTried = false): void {
		// A parser shows the place in lines of its own; here it stands within a sentence.
		const why = explain(error).replaceAll(/\s+/g, " ");
		if (this.aside.get(name)?.why === why) return;
		this.aside.set(name, { why, stored, isTried });
		const text = `${name} is not supervised, and nothing of it is touched: ${why}`;
		this.context.log.error({ err: error, server: name }, text);
		this.context.history.append({ at: Date.now(), server: name, session: null, kind: "daemon", text });
	}

	/**
	 * A plan would take a server that cannot be read for one that is not there: its address, its port, its disks.
	 * @throws BulkheadError not-allowed-now
	 */
	refuseWhileDamaged(): void {
		const [first] = this.aside;
		if (!first) return;
		const [name, { why, isTried }] = first;
		const mend = isTried
			? "apply again when it is"
			: "when that is done, restart the daemon, and apply again";
		throw new BulkheadError(
			"not-allowed-now",
			`${name} is not supervised: ${why}; ${mend}; nothing was changed`,
		);
	}

	// ---- beginning and ending

	/** Tells of servers that are about to be supervised, one after the other; of none when all are. */
	expect(servers: readonly StoredServer[]): void {
		this.awaited = servers;
	}

	async supervise(stored: StoredServer): Promise<ServerUnit> {
		const { sandbox } = this.sandbox;
		await this.permit([...this.stored(), stored]);
		const unit = await ServerUnit.open(stored, this.context, sandbox, (names) => this.others(names));
		this.units.set(stored.name, unit);
		this.aside.delete(stored.name);
		return unit;
	}

	/** How servers are that another comes after. One that is gone or set aside is nobody's to wait for. */
	private others(names: readonly string[]): Other[] {
		return names.flatMap((name): Other[] => {
			const unit = this.units.get(name);
			if (unit) return [{ name, ...unit.supervisor.asOther }];
			const awaited = this.awaited.some((stored) => stored.name === name) && !this.aside.has(name);
			return awaited ? [{ name, state: "unknown", wanted: "running", maintenance: false }] : [];
		});
	}

	/**
	 * Lets these servers do what they say, and those that are set aside or awaited.
	 * @param lenient trouble with what they reach outside is told, and keeps this from nothing
	 */
	async permit(servers: readonly StoredServer[], lenient = false): Promise<void> {
		const aside = [...this.aside.values()].flatMap(({ stored }) => stored ?? []);
		const known = [...servers, ...aside.filter(({ name }) => !servers.some((one) => one.name === name))];
		const awaited = this.awaited.filter(({ name }) => !known.some((one) => one.name === name));
		// While they are taken on, trouble with what they reach outside keeps none of them from being looked after.
		await this.sandbox.permit([...known, ...awaited], lenient || this.awaited.length > 0);
	}

	/**
	 * Closes the front doors of others at ports of the host that a server is about to have: a change of the site may give it
	 * those of one that is changed or deleted after it. @param undo opens them again
	 */
	async makeWay(stored: StoredServer, undo: AsyncDisposableStack): Promise<void> {
		const listens = completeServicesOf(stored).map(({ listen }) => listen);
		for (const { stored: other, door } of this.list())
			if (other.name !== stored.name && (await door.giveUp(listens)))
				undo.defer(async () => await door.openWhenPossible());
	}

	/** The sandbox forgets servers that are gone; not while one cannot be read, whose address nobody knows. */
	async tidy(): Promise<void> {
		if (this.aside.size === 0) await this.sandbox.tidy(this.stored());
	}

	/** Removes all that belongs to a server; its disks too. What stops half-way is set aside, until the next daemon. */
	async discard(stored: StoredServer): Promise<void> {
		const { context } = this;
		const { name } = stored;
		const unit = this.units.get(name);
		this.units.delete(name);
		let left: StoredServer | undefined = stored;
		try {
			await this.takeDown(stored, unit);
			await markGone(name, context);
			left = undefined;
			await removeRemains(name, context);
		} catch (cause) {
			this.setAside(
				name,
				new Error("it was being deleted, and that stopped half-way; mend this", { cause }),
				left,
			);
			throw cause;
		}
		await this.tidy();
		if (this.count === 0) await this.removeEmptyGroups();
	}

	/** Ends all that runs for a server. */
	private async takeDown(stored: StoredServer, unit: ServerUnit | undefined): Promise<void> {
		const { context, sandbox } = this;
		const { name } = stored;
		await unit?.supervisor.leave();
		unit?.close();
		await (unit?.door.close() ?? endStrays(context, name, new Set()));
		// First, so that nothing which looks after the others begins anything for it again. The next change tries it again,
		// and nobody would do the rest.
		await this.permit(this.stored(), true).catch((error) =>
			context.log.error({ err: error, server: name }, "what it was permitted could not be taken back yet"),
		);
		await sandbox.names.endOf(name);
		await this.groups.removeOf(name);
		await sandbox.removePorts(stored);
		await sandbox.leases.settled();
	}

	/** No server is supervised: its groups can go, unless they may be those of a server that cannot be read. */
	async removeEmptyGroups(): Promise<void> {
		if (this.aside.size === 0) await this.groups.removeEmpty();
	}

	/** Lets go of all without ending any session. */
	async leave(): Promise<void> {
		await Promise.all(this.list().map(async (unit) => await unit.supervisor.leave()));
	}
}
