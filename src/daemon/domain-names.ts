import { dnsAddress } from "../api/domain.ts";
import type { ControllerHealth } from "../directory/member/controllers.ts";
import { AskedControllers } from "../directory/member/dns/asked-controllers.ts";
import {
	endForwarder,
	type Forwarding,
	forwardedBy,
	forwarderWords,
	forwardingOf,
	startForwarder,
	tellForwarder,
} from "../directory/member/dns/forwarder.ts";
import { isNameServer, OwnServers } from "../directory/member/dns/own-servers.ts";
import { leadResolved, releaseResolved } from "../directory/member/dns/resolved.ts";
import { currentNames, type Zone } from "../directory/member/dns/resolver.ts";
import type { Member } from "../directory/member/plan.ts";
import { ControlGroup } from "../host/cgroup.ts";
import { type Context, domainLink, domainNamesGroup } from "./context.ts";
import { domainNamesUid } from "./resolve.ts";
import { Restarts } from "./restarts.ts";

const limits = { memoryBytes: 64 * 2 ** 20, cpus: 0.5, tasks: 64, cpuWeight: 100 } as const;

/** How often it is looked whether systemd-resolved still knows. */
const lookEveryMs = 10_000;

/** What is done on the host. */
const realHost = {
	...{ currentNames, forwardedBy, forwarderWords, isNameServer, leadResolved, tellForwarder },
	async begin({ paths, groups }: Context, forwarding: Forwarding): Promise<void> {
		await ControlGroup.at(domainNamesGroup(paths), groups).destroy();
		const group = await ControlGroup.create(domainNamesGroup(paths), limits, groups);
		const uid = domainNamesUid(paths.state);
		await startForwarder(paths.domain, forwarding, { uid, groups: group.entries });
	},
};
type Host = typeof realHost;

/**
 * Has the controllers asked for the names of the domain that this host is a member of. Without it all other names resolve as
 * ever, by the name servers that the host had before, and still has.
 */
export class DomainNames {
	private readonly context: Context;
	private readonly host: Host;
	private readonly restarts = new Restarts();
	private readonly asked = new AskedControllers();
	private readonly own: OwnServers;
	/** What this daemon has told what asks: an earlier one may have been killed after it had written that down. */
	private toldServers: string | undefined;
	private ledAt = Number.NEGATIVE_INFINITY;

	/** @param gone aborts when the daemon ends */
	constructor(context: Context, gone: AbortSignal, host: Host = realHost) {
		this.context = context;
		this.host = host;
		this.own = new OwnServers(async (address) => await host.isNameServer(address, gone));
	}

	/**
	 * @param controllers those that are of the domain, for all that is known, as they have just been seen
	 * @throws Error what stands in the way; it is tried again with the next look
	 */
	async keep({ dns, realm }: Member, controllers: readonly ControllerHealth[]): Promise<void> {
		if (dns === null) return;
		const zone = { realm, controllers: this.asked.choose(controllers) };
		await (dns === "resolv.conf" ? this.keepFirst(zone) : this.keepLed(zone));
	}

	private async keepFirst(zone: Zone): Promise<void> {
		const { first, others } = await this.host.currentNames();
		const [one, ...more] = others;
		// Whoever may be asked nobody else is better left as it is.
		if (one !== undefined) await this.run(zone, this.own.choose([one, ...more]));
		if (!first)
			throw new Error(
				`another program has written /etc/resolv.conf anew, and names of ${zone.realm} are not asked for at its controllers; put nameserver ${dnsAddress} first there, or join again without --dns`,
			);
	}

	private async keepLed(zone: Zone): Promise<void> {
		await this.run(zone, null);
		if (performance.now() < this.ledAt + lookEveryMs) return;
		await this.host.leadResolved(domainLink(this.context.paths), zone.realm);
		this.ledAt = performance.now();
	}

	private async run(zone: Zone, other: string | null): Promise<void> {
		const { domain } = this.context.paths;
		const wanted = forwardingOf(zone, other);
		const told = await this.host.forwardedBy(domain);
		if (told?.config === wanted.config) {
			if (this.toldServers !== wanted.servers) await this.host.tellForwarder(domain, wanted.servers);
			this.toldServers = wanted.servers;
			return this.restarts.runs();
		}
		// One that runs is to do something else from now on, which is no sign of trouble.
		if (told === undefined && this.restarts.due() === "no")
			throw new Error(await this.host.forwarderWords(domain));
		await this.host.begin(this.context, wanted);
		this.toldServers = wanted.servers;
	}

	/** @throws Error when it does not end */
	async end(): Promise<void> {
		if (!(await endForwarder(this.context.paths.domain)))
			throw new Error("dnsmasq does not end, even when killed");
		await releaseResolved(domainLink(this.context.paths));
		const { paths, groups } = this.context;
		await ControlGroup.at(domainNamesGroup(paths), groups).destroy();
		this.restarts.forget();
		this.asked.forget();
		this.toldServers = undefined;
		this.ledAt = Number.NEGATIVE_INFINITY;
	}
}
