import { rm } from "node:fs/promises";
import { explain } from "../api/errors.ts";
import type { Site } from "../api/site.ts";
import { readIfThere, writeFileAtomic } from "../host/files.ts";
import { upstreamsOfHost } from "../network/names/upstreams.ts";
import { ensureOutbound, removeOutbound } from "../network/outbound/outbound.ts";
import { interfacesOf } from "../network/outbound/outside.ts";
import type { OutboundPlan } from "../network/outbound/plan.ts";
import { Sandbox } from "../network/sandbox.ts";
import type { StoredServer } from "../store/servers.ts";
import { openSegments, pathsAmong } from "./between.ts";
import { type Context, namespaceOf } from "./context.ts";
import { FollowedNames } from "./followed-names.ts";
import { lanPlanOf } from "./lan.ts";
import { SiteLeases } from "./leases.ts";
import { addressesOf, answerersOf, networksOf, SiteNames } from "./names.ts";
import { namesIn, outboundServers } from "./outbound.ts";
import { completeServicesOf, inboundServers, watchedServicesOf } from "./published.ts";
import { doorUid, tapsOf } from "./resolve.ts";
import { Turns } from "./turns.ts";

/** The sandbox of the site that there is. */
export class SiteSandbox {
	private readonly context: Context;
	/** Whoever answers its servers' questions for names. */
	readonly names: SiteNames;
	/** Whoever tells its servers their addresses. */
	readonly leases: SiteLeases;
	/** The names in its servers' `outbound:`. */
	readonly followed: FollowedNames;
	/** The rules are changed by one at a time. */
	private readonly permitting = new Turns();
	private current: Sandbox | undefined;
	/** While a server cannot be read, nobody knows its segment, and what its front door may do: both stay as they are. */
	private kept = false;
	/** Whom the rules were last made for, and segments whose servers all reach each other. */
	private permitted: readonly StoredServer[] | undefined;
	private wholeSegments: readonly string[] = [];
	/** What stood in the cable's way last: it is tried again every few seconds, and told once. */
	private trouble = "";
	/** Name servers of the host that are the site's own; told once. */
	private leftOut = "";

	constructor(context: Context) {
		this.context = context;
		this.names = new SiteNames(context);
		this.leases = new SiteLeases(context);
		this.followed = new FollowedNames({ file: context.paths.followed, tell: (text) => this.tell(text) });
	}

	/** @throws Error when there is none */
	get sandbox(): Sandbox {
		if (!this.current) throw new Error("there is no sandbox");
		return this.current;
	}

	/** Name of its network namespace; null when there is none. */
	get namespace(): string | null {
		return this.current?.namespace ?? null;
	}

	/** Segments whose servers all reach each other. */
	get openSegments(): readonly string[] {
		return this.wholeSegments;
	}

	/** Takes the sandbox of the daemon before as it is. @returns false when there is none */
	async keep(site: string): Promise<boolean> {
		const namespace = namespaceOf(this.context.paths, site);
		this.kept = await Sandbox.exists(namespace);
		if (this.kept) this.current = new Sandbox(namespace, site);
		return this.kept;
	}

	/** Brings it to a site's segments. */
	async open(site: Site): Promise<void> {
		// Only a site without servers can get another name.
		if (this.current && this.current.site !== site.name) await this.drop();
		if (!this.current) {
			const namespace = namespaceOf(this.context.paths, site.name);
			// Before it is there: should this daemon be killed, the next one knows of it, whatever becomes of the site.
			await writeFileAtomic(this.context.paths.namespace, `${namespace}\n`);
			this.current = new Sandbox(namespace, site.name);
		}
		await this.current.ensure(
			Object.entries(site.segments ?? {}).map(([name, { subnet, subnet6 }]) => ({
				...{ name, subnet, subnet6 },
				...lanPlanOf(site, name),
			})),
		);
		this.wholeSegments = openSegments(site);
		// They were permitted before: what stands in the way now is to keep nobody from changing the site.
		if (this.permitted) await this.permit(this.permitted, true);
	}

	/**
	 * Takes away the sandbox of a daemon that was killed before its site came to be, or after it had gone.
	 * @param needed the site whose sandbox stays; undefined when none does
	 */
	async dropStray(needed: Site | undefined): Promise<void> {
		const name = (await readIfThere(this.context.paths.namespace))?.trim();
		if (name === undefined) return;
		const { paths, log } = this.context;
		if (needed && name === namespaceOf(paths, needed.name)) return;
		const [, site] = /^bh-(?:[0-9a-f]{6}-)?([a-z][a-z0-9-]*)$/.exec(name) ?? [];
		if (site === undefined || name !== namespaceOf(paths, site))
			return log.error({ file: paths.namespace }, "this names no sandbox of this daemon; it is left alone");
		this.current = new Sandbox(name, site);
		await this.drop();
	}

	/** Forgets what it knew of servers that are not among these any more. */
	async tidy(servers: readonly StoredServer[]): Promise<void> {
		if (this.kept) return;
		await this.current?.knowOnly(
			servers.flatMap(({ name, definition: { network } }) => (network ? [{ name, ...network }] : [])),
		);
	}

	async drop(): Promise<void> {
		await this.names.end();
		await this.leases.end();
		await this.permitting.take(async () => {
			if (this.current) await removeOutbound(this.current.namespace);
			await this.current?.destroy();
			await rm(this.context.paths.namespace, { force: true });
			this.current = undefined;
			this.permitted = undefined;
		});
		// What was being permitted meanwhile may have asked for them again.
		await this.names.end();
		await this.leases.end();
	}

	/**
	 * Lets the front doors of these servers reach them, and these servers each other and the outside as they say; nobody else.
	 * @param lenient tells of a way out that cannot be made, instead of failing for it
	 */
	async permit(servers: readonly StoredServer[], lenient = false): Promise<void> {
		await this.permitting.take(async () => await this.permitNow(servers, lenient));
	}

	/** Asks what the names in `outbound:` stand for, where it is time, and lets that out. @throws CommandError */
	async followNames(): Promise<void> {
		if (this.permitted && (await this.followed.look())) await this.permitAgain();
	}

	/** Those who are permitted when its turn comes: they may be others by then. */
	private async permitAgain(): Promise<void> {
		await this.permitting.take(async () => {
			if (this.permitted) await this.permitNow(this.permitted, true);
		});
	}

	private async permitNow(servers: readonly StoredServer[], lenient: boolean): Promise<void> {
		if (this.kept) return;
		this.permitted = servers;
		const allowed = servers.flatMap((server) => {
			const address = server.definition.network?.address;
			return address
				? [...completeServicesOf(server), ...watchedServicesOf(server)].map(({ port }) => ({
						...{ uid: doorUid(server), address, port },
					}))
				: [];
		});
		if (!this.current) return;
		const namesOf = (some: readonly StoredServer[]) => [
			...new Set(some.flatMap(({ definition }) => namesIn(definition.outbound))),
		];
		const withSix = servers.filter(({ definition }) => definition.network?.address6 !== undefined);
		await this.followed.follow(namesOf(servers), networksOf(servers), namesOf(withSix));
		const upstreams = await this.upstreamsFor(servers);
		const between = { paths: pathsAmong(servers), open: this.wholeSegments };
		await this.current.permit(allowed, between, answerersOf(servers, upstreams));
		const plan = {
			...{
				namespace: this.current.namespace,
				servers: outboundServers(servers, (name) => this.followed.letOut(name)),
			},
			inbound: inboundServers(servers),
		};
		const trouble = await this.openOutside(plan, lenient);
		if (trouble !== "" && trouble !== this.trouble) this.tell(`${trouble}; it is tried again by itself`);
		this.trouble = trouble;
		// After the rules: what servers are told is let out already.
		const { namespace } = this.current;
		const current = (name: string) => this.followed.current(name);
		this.leases.want(namespace, servers);
		this.names.want({ namespace, servers, upstreams, current, openSegments: this.wholeSegments });
	}

	/** Whom those ask for names who reach everything outside. */
	private async upstreamsFor(servers: readonly StoredServer[]): Promise<string[]> {
		const { usable, inside } = await upstreamsOfHost(addressesOf(servers));
		const needed = servers.some(({ definition }) => definition.outbound === "allow");
		const left = needed ? inside.join(", ") : "";
		if (left !== "" && left !== this.leftOut)
			this.tell(
				`This host asks ${left} for names, a server of the site itself: those with \`outbound: allow\` have their questions passed on to ${usable.join(", ") || "nobody"}`,
			);
		this.leftOut = left;
		return usable;
	}

	/** @returns what stands in the way; nothing when all is open */
	private async openOutside(plan: OutboundPlan, lenient: boolean): Promise<string> {
		try {
			await ensureOutbound(plan);
			const lans = new Set(plan.servers.flatMap(({ lan }) => lan ?? []));
			const absent = lans.size === 0 ? lans : lans.difference(new Set(await interfacesOf({})));
			if (absent.size === 0) return "";
			const names = [...absent].join(", ");
			return `This host has no network interface ${names}, and servers with addresses of its network are not found there: where it has another name now, write that under \`lan:\` and apply the site`;
		} catch (error) {
			if (!lenient) throw error;
			return `What servers may reach outside, and how they are reached at their own addresses, could not be opened: ${explain(error)}`;
		}
	}

	/**
	 * Makes sure that the cable to the host is as it was made: the host's own programs may have removed its rules. What stood in
	 * its way is tried again, also when it is the removal of one that nobody needs any more.
	 */
	async guard(): Promise<void> {
		const { permitted } = this;
		const hasCable = permitted?.some(
			({ definition, lan }) => lan !== null || (definition.outbound ?? "deny") !== "deny",
		);
		if (permitted && (this.trouble !== "" || hasCable || inboundServers(permitted).length > 0))
			await this.permitAgain();
	}

	private tell(text: string): void {
		this.context.log.error(text);
		this.context.history.append({ at: Date.now(), server: null, session: null, kind: "daemon", text });
	}

	async removePorts(server: StoredServer): Promise<void> {
		await this.current?.removePorts(tapsOf(server));
	}
}
