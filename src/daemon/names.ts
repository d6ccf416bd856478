import { rm } from "node:fs/promises";
import { isIPv4 } from "node:net";
import { explain } from "../api/errors.ts";
import { ControlGroup, listGroups } from "../host/cgroup.ts";
import { listIfThere } from "../host/files.ts";
import { answererIn, ensureAnswerer } from "../network/names/answerer.ts";
import type { Answerer, AnswererPlan, NameEntry } from "../network/names/plan.ts";
import { leadQuestions } from "../network/names/rules.ts";
import type { StoredServer } from "../store/servers.ts";
import { pathsAmong } from "./between.ts";
import { type Context, groupOwner, groupRoot, namesGroup } from "./context.ts";
import { type AddressesOf, namesIn } from "./outbound.ts";
import { qemuUid } from "./resolve.ts";
import { Restarts } from "./restarts.ts";
import { Turns } from "./turns.ts";

/** Far above all users of sessions and front doors (firstUidOf), and below 2^31. */
const uidsAbove = 100_001_000;
/** Below the ports that kernels choose by themselves. */
const firstPort = 10_000;
const limits = { memoryBytes: 24 * 2 ** 20, cpus: 0.25, tasks: 8, cpuWeight: 100 } as const;

/** Who answers each server that has a network. Pure. */
export function answerersOf(servers: readonly StoredServer[], upstreams: readonly string[]): Answerer[] {
	const inside = networksOf(servers);
	return servers.flatMap((server) => {
		const { network } = server.definition;
		if (!network) return [];
		return [
			{
				...{ server: server.name, address: network.address, address6: network.address6 },
				...{ uid: qemuUid(server) + uidsAbove, port: firstPort + server.installed.index },
				...{ domain: server.site, inside },
				upstreams: server.definition.outbound === "allow" ? upstreams : [],
			},
		];
	});
}

/** Addresses of the servers, IPv4 and IPv6. Pure. */
export function addressesOf(servers: readonly StoredServer[]): string[] {
	return servers.flatMap(({ definition: { network } }) =>
		[network?.address, network?.address6].flatMap((one) => one ?? []),
	);
}

/** Networks where only servers of the site are: no name of the outside leads there. Pure. */
export function networksOf(servers: readonly StoredServer[]): string[] {
	const networks = servers.flatMap(({ lan, subnet, subnet6, definition: { network } }) =>
		lan === null
			? [subnet, subnet6]
			: [network && `${network.address}/32`, network?.address6 && `${network.address6}/128`],
	);
	return [...new Set(networks.flatMap((one) => one || []))];
}

/**
 * The names that one server is told: its own, those of servers that it may open something to, and those in its rules, with
 * what they stand for. Pure.
 */
export function namesFor(
	asking: StoredServer,
	servers: readonly StoredServer[],
	openSegments: readonly string[],
	current: AddressesOf,
): NameEntry[] {
	const own = asking.definition.network;
	if (!own) return [];
	const reached = new Set(pathsAmong(servers).flatMap(({ from, to }) => (from === own.address ? [to] : [])));
	const outside = namesIn(asking.definition.outbound).map((name) => ({
		names: [name],
		addresses: current(name).filter((address) => own.address6 !== undefined || isIPv4(address)),
	}));
	const inside = servers.flatMap(({ name, site, definition: { network } }): NameEntry[] => {
		if (!network) return [];
		const together = network.segment === own.segment && openSegments.includes(own.segment);
		if (name !== asking.name && !together && !reached.has(network.address)) return [];
		const six = network.address6 === undefined ? [] : [network.address6];
		return [{ names: [`${name}.${site}`, name], addresses: [network.address, ...six] }];
	});
	return [...inside, ...outside];
}

interface Wanted {
	namespace: string;
	servers: readonly StoredServer[];
	openSegments: readonly string[];
	/** Name servers that those ask who reach everything outside. */
	upstreams: readonly string[];
	current: AddressesOf;
}

/**
 * Has each server's questions for names answered. Nobody waits for it: without it servers run, and are asked and
 * recovered, as ever; what stands in the way is told, and tried again with the next look.
 */
export class SiteNames {
	private readonly context: Context;
	private wanted: Wanted | undefined;
	private readonly turns = new Turns();
	/** Of answerers that have ended by themselves lately. */
	private readonly restarts = new Map<string, Restarts>();
	/** What was told last of each server, so that it is told once. */
	private readonly told = new Map<string, string>();

	constructor(context: Context) {
		this.context = context;
	}

	/** Brings the answerers to these servers, in the background. */
	want(wanted: Wanted): void {
		this.wanted = wanted;
		this.queue(async () => await this.bring());
	}

	/** Starts again what has died. */
	check(): void {
		if (this.wanted && !this.turns.busy) this.queue(async () => await this.restart());
	}

	/** Ends all answerers, and waits for it: their namespace is about to go. @throws Error when one does not end */
	async end(): Promise<void> {
		this.wanted = undefined;
		await this.turns.settled();
		for (const server of await listIfThere(this.context.paths.runNames)) await this.endOne(server);
	}

	/** Ends that of a server that goes, and waits for it. */
	async endOf(server: string): Promise<void> {
		const { wanted } = this;
		if (wanted) this.wanted = { ...wanted, servers: wanted.servers.filter(({ name }) => name !== server) };
		await this.turns.settled();
		await this.endOne(server);
	}

	/** Lets go without ending anything. */
	async leave(): Promise<void> {
		this.wanted = undefined;
		await this.turns.settled();
	}

	private queue(work: () => Promise<void>): void {
		this.turns.take(work).catch((error: unknown) => this.tell("", error));
	}

	private async bring(): Promise<void> {
		const { wanted } = this;
		if (!wanted) return;
		const answerers = answerersOf(wanted.servers, wanted.upstreams);
		const names = answerers.map(({ server }) => server);
		const there = [...(await listIfThere(this.context.paths.runNames)), ...(await this.grouped())];
		for (const server of new Set(there)) if (!names.includes(server)) await this.endOne(server);
		await leadQuestions(wanted.namespace, answerers);
		for (const answerer of answerers) await this.ensure(answerer);
	}

	private async restart(): Promise<void> {
		const { paths } = this.context;
		for (const answerer of answerersOf(this.wanted?.servers ?? [], this.wanted?.upstreams ?? [])) {
			const { server } = answerer;
			const [restarts, running] = [
				this.restarts.get(server) ?? new Restarts(),
				answererIn(paths.names(server)),
			];
			if (await running.process()) {
				restarts.runs();
				if (!restarts.lately) this.restarts.delete(server);
				continue;
			}
			this.restarts.set(server, restarts);
			const due = restarts.due();
			if (due === "no") continue;
			if (due === "tell") this.tell(server, new Error(await running.lastWords()));
			await this.ensure(answerer);
		}
	}

	private async ensure(answerer: Answerer): Promise<void> {
		const { wanted, context } = this;
		const { server } = answerer;
		const stored = wanted?.servers.find(({ name }) => name === server);
		if (!wanted || !stored) return;
		try {
			const group = await ControlGroup.create(namesGroup(context.paths, server), limits, context.groups);
			const folder = context.paths.names(server);
			const plan: AnswererPlan = {
				...answerer,
				...{ namespace: wanted.namespace, groups: group.entries, folder },
			};
			const entries = namesFor(stored, wanted.servers, wanted.openSegments, wanted.current);
			await ensureAnswerer(plan, entries, this.damaged(server));
			if (!this.restarts.has(server)) this.told.delete(server);
		} catch (error) {
			this.tell(server, error);
		}
	}

	private async endOne(server: string): Promise<void> {
		const { paths, groups } = this.context;
		await answererIn(paths.names(server)).end(this.damaged(server));
		await ControlGroup.at(namesGroup(paths, server), groups).destroy();
		await rm(paths.names(server), { recursive: true, force: true });
	}

	/** Servers with a control group for it: a folder may be lost with a crash. */
	private async grouped(): Promise<string[]> {
		const names = await listGroups(groupRoot(this.context.paths), this.context.groups);
		return names.flatMap((name) => {
			const owner = groupOwner(name);
			return owner?.kind === "names" ? [owner.server] : [];
		});
	}

	private tell(server: string, error: unknown): void {
		const why = explain(error);
		if (this.told.get(server) === why) return;
		this.told.set(server, why);
		const whose = server === "" ? "of the site's servers" : `of ${server}`;
		const text = `Questions ${whose} for names cannot be answered: ${why}; it is tried again`;
		this.context.log.error({ err: error }, text);
		this.note(server, text);
	}

	private damaged(server: string): (text: string) => void {
		return (text) => {
			this.context.log.warn(text);
			this.note(server, text);
		};
	}

	private note(server: string, text: string): void {
		const about = server === "" ? null : server;
		this.context.history.append({ at: Date.now(), server: about, session: null, kind: "daemon", text });
	}
}
