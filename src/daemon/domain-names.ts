import { dnsAddress } from "../api/domain.ts";
import {
	endForwarder,
	forwarderConfig,
	forwarderWords,
	isForwarding,
	startForwarder,
} from "../directory/member/dns/forwarder.ts";
import { leadResolved, releaseResolved } from "../directory/member/dns/resolved.ts";
import { currentNames } from "../directory/member/dns/resolver.ts";
import type { Member } from "../directory/member/plan.ts";
import { ControlGroup } from "../host/cgroup.ts";
import { type Context, domainLink, domainNamesGroup } from "./context.ts";
import { domainNamesUid } from "./resolve.ts";
import { Restarts } from "./restarts.ts";

const limits = { memoryBytes: 64 * 2 ** 20, cpus: 0.5, tasks: 64, cpuWeight: 100 } as const;

/** How often it is looked whether systemd-resolved still knows. */
const lookEveryMs = 10_000;

/**
 * Has the controllers asked for the names of the domain that this host is a member of. Without it all other names resolve as
 * ever, by the name servers that the host had before, and still has.
 */
export class DomainNames {
	private readonly context: Context;
	private readonly restarts = new Restarts();
	private ledAt = Number.NEGATIVE_INFINITY;

	constructor(context: Context) {
		this.context = context;
	}

	/** @throws Error what stands in the way; it is tried again with the next look */
	async keep(member: Member): Promise<void> {
		switch (member.dns) {
			case null:
				return;
			case "resolv.conf":
				return await this.keepFirst(member);
			case "systemd-resolved":
				return await this.keepLed(member);
		}
	}

	private async keepFirst(member: Member): Promise<void> {
		const { first, others } = await currentNames();
		// Whoever may be asked nobody else is better left as it is.
		if (others.length > 0) await this.run(member, others);
		if (!first)
			throw new Error(
				`another program has written /etc/resolv.conf anew, and names of ${member.realm} are not asked for at its controllers; put nameserver ${dnsAddress} first there, or join again without --dns`,
			);
	}

	private async keepLed(member: Member): Promise<void> {
		await this.run(member, []);
		if (performance.now() < this.ledAt + lookEveryMs) return;
		await leadResolved(domainLink(this.context.paths), member.realm);
		this.ledAt = performance.now();
	}

	private async run(member: Member, others: readonly string[]): Promise<void> {
		const { paths, groups } = this.context;
		const config = forwarderConfig(member, others);
		if (await isForwarding(paths.domain, config)) return this.restarts.runs();
		if (this.restarts.due() === "no") throw new Error(await forwarderWords(paths.domain));
		await this.endGroup();
		const group = await ControlGroup.create(domainNamesGroup(paths), limits, groups);
		const uid = domainNamesUid(paths.state);
		await startForwarder(paths.domain, config, { uid, groups: group.entries });
	}

	/** @throws Error when it does not end */
	async end(): Promise<void> {
		if (!(await endForwarder(this.context.paths.domain)))
			throw new Error("dnsmasq does not end, even when killed");
		await releaseResolved(domainLink(this.context.paths));
		await this.endGroup();
		this.restarts.forget();
		this.ledAt = Number.NEGATIVE_INFINITY;
	}

	private async endGroup(): Promise<void> {
		const { paths, groups } = this.context;
		await ControlGroup.at(domainNamesGroup(paths), groups).destroy();
	}
}
