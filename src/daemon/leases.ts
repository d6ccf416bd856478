import { rm } from "node:fs/promises";
import { gatewayOf, parseSubnet } from "../api/addresses.ts";
import { formatAddress6, gatewayOf6, parseSubnet6 } from "../api/addresses6.ts";
import { explain } from "../api/errors.ts";
import { ControlGroup } from "../host/cgroup.ts";
import { ensureGiver, giverIn } from "../network/leases/giver.ts";
import type { LeaseSegment, LeaseServer, Leases } from "../network/leases/plan.ts";
import { bridgeMacOf, macOf } from "../network/plan.ts";
import type { StoredServer } from "../store/servers.ts";
import { type Context, leasesGroup } from "./context.ts";
import { leasesUid, sandboxAddressOf } from "./resolve.ts";
import { Restarts } from "./restarts.ts";
import { Turns } from "./turns.ts";

const limits = { memoryBytes: 32 * 2 ** 20, cpus: 0.25, tasks: 4, cpuWeight: 100 } as const;

/** What these servers are told of their addresses, and of their segments. Pure. */
export function leasesOf(servers: readonly StoredServer[]): Leases {
	const segments = new Map<string, LeaseSegment>();
	const told = servers.flatMap((server): LeaseServer[] => {
		const { name, site, definition } = server;
		const segment = segmentOf(server);
		if (!segment || !definition.network) return [];
		segments.set(segment.name, segment);
		const { address, address6, mac = macOf(site, name) } = definition.network;
		return [{ segment: segment.name, mac, address, address6 }];
	});
	return { segments: [...segments.values()], servers: told };
}

function segmentOf(server: StoredServer): LeaseSegment | undefined {
	const { site, subnet, subnet6, lan, definition } = server;
	const [parsed, parsed6] = [parseSubnet(subnet ?? ""), parseSubnet6(subnet6 ?? "")];
	const name = definition.network?.segment;
	if (!parsed || name === undefined) return undefined;
	const own = sandboxAddressOf(server);
	// The sandbox answers for whoever on a LAN asks by IPv4 only: by IPv6 everybody else is reached through it.
	const six = lan
		? {}
		: parsed6 && {
				prefix: { base: formatAddress6(parsed6.base), length: parsed6.length },
				dns: gatewayOf6(parsed6),
			};
	return {
		...{ name, mac: bridgeMacOf(site, name), own, length: parsed.length },
		...{ router: lan?.gateway ?? gatewayOf(parsed), dns: own },
		six: parsed6 && six,
	};
}

/**
 * Has servers told their addresses. Nobody waits for it, and none of its troubles keeps a server from anything: what
 * stands in the way is told, and tried again with the next look.
 */
export class SiteLeases {
	private readonly context: Context;
	private wanted: { namespace: string; leases: Leases } | undefined;
	private readonly turns = new Turns();
	private readonly restarts = new Restarts();
	/** What was told last, so that it is told once. */
	private told = "";

	constructor(context: Context) {
		this.context = context;
	}

	/** Brings what is told to these servers, in the background. */
	want(namespace: string, servers: readonly StoredServer[]): void {
		this.wanted = { namespace, leases: leasesOf(servers) };
		this.queue(async () => await this.bring());
	}

	/** Starts again what has died. */
	check(): void {
		if (this.wanted && !this.turns.busy) this.queue(async () => await this.restart());
	}

	/** Waits until what was wanted has been done, or could not be. */
	async settled(): Promise<void> {
		await this.turns.settled();
	}

	/** Ends it, and waits for that: its namespace is about to go. @throws Error when it does not end */
	async end(): Promise<void> {
		this.wanted = undefined;
		await this.turns.settled();
		await this.endNow();
	}

	/** Lets go without ending anything. */
	async leave(): Promise<void> {
		this.wanted = undefined;
		await this.turns.settled();
	}

	private queue(work: () => Promise<void>): void {
		const done = this.turns.take(work).then(() => {
			if (!this.restarts.lately) this.told = "";
		});
		done.catch((error: unknown) => this.tell(error));
	}

	private async bring(): Promise<void> {
		const { wanted, context } = this;
		if (!wanted) return;
		const { namespace, leases } = wanted;
		if (leases.servers.length === 0) return await this.endNow();
		const group = await ControlGroup.create(leasesGroup(context.paths), limits, context.groups);
		const uid = leasesUid(context.paths.state);
		const plan = { namespace, uid, groups: group.entries, folder: context.paths.leases };
		await ensureGiver(plan, leases, this.damaged);
	}

	private async restart(): Promise<void> {
		const giver = giverIn(this.context.paths.leases);
		if (!this.wanted || this.wanted.leases.servers.length === 0) return;
		if (await giver.process()) return this.restarts.runs();
		const due = this.restarts.due();
		if (due === "no") return;
		if (due === "tell") this.tell(new Error(await giver.lastWords()));
		await this.bring();
	}

	private async endNow(): Promise<void> {
		const { paths, groups } = this.context;
		await giverIn(paths.leases).end(this.damaged);
		await ControlGroup.at(leasesGroup(paths), groups).destroy();
		await rm(paths.leases, { recursive: true, force: true });
	}

	private tell(error: unknown): void {
		const why = explain(error);
		if (this.told === why) return;
		this.told = why;
		const text = `Servers that ask for their addresses cannot be told them: ${why}; it is tried again`;
		this.context.log.error({ err: error }, text);
		this.note(text);
	}

	private readonly damaged = (text: string): void => {
		this.context.log.warn(text);
		this.note(text);
	};

	private note(text: string): void {
		this.context.history.append({ at: Date.now(), server: null, session: null, kind: "daemon", text });
	}
}
