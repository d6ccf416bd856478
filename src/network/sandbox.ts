import { OpenShell } from "../host/shell.ts";
import type { Answerer } from "./names/plan.ts";
import {
	addNamespace,
	deleteNamespace,
	ip,
	type Link,
	links,
	namespaces,
	setKernel,
	shellInside,
} from "./namespace.ts";
import { type Known, knowOnly } from "./neighbours.ts";
import {
	type Between,
	bridgeMacOf,
	bridgeNameOf,
	type Permission,
	type PortPlan,
	type SegmentPlan,
} from "./plan.ts";
import { enslave, raise } from "./port.ts";
import { type Rehearsal, rehearse, sweepRehearsals } from "./rehearsal.ts";
import { firewall, permitExactly } from "./ruleset.ts";
import { endOf, ensureBridge } from "./segment-bridge.ts";
import { forget, guardPorts, makeKnown } from "./spoofing.ts";
import { stateOf } from "./table.ts";

/** Milliseconds for a command that users wait for; it takes two. */
const nowWithinMs = 5000;

/**
 * A new namespace takes these from the host, so they are said, not assumed. Missing ones are left out. In this order: a
 * change of forwarding sets others back.
 */
const kernelSettings = {
	// What guests send each other is routed; what else would be is dropped and counted.
	"net/ipv4/ip_forward": 1,
	// A front door and its guest are on one machine: nothing is congested between them. Where the host has BBR, which paces
	// what is sent by a timer, a transfer to a guest was a quarter slower and took 40 % more of the processors.
	"net/ipv4/tcp_congestion_control": "reno",
	// Nothing arrives late between a front door and its guest, and the checks of each service come from few ports: to a guest
	// without TCP timestamps one could not be used again for a minute, and the service would be called down meanwhile.
	"net/ipv4/tcp_max_tw_buckets": 0,
	"net/ipv4/conf/all/accept_redirects": 0,
	"net/ipv4/conf/default/accept_redirects": 0,
	"net/ipv4/conf/all/send_redirects": 0,
	"net/ipv4/conf/default/send_redirects": 0,
	"net/ipv4/conf/all/accept_source_route": 0,
	"net/ipv4/conf/default/accept_source_route": 0,
	// IPv6 is off unless a segment has a network of it. Not by `all`: that would take the addresses of bridges that are in use.
	"net/ipv6/conf/default/disable_ipv6": 1,
	"net/ipv6/conf/lo/disable_ipv6": 1,
	"net/ipv6/conf/all/forwarding": 1,
	"net/ipv6/conf/all/accept_ra": 0,
	"net/ipv6/conf/default/accept_ra": 0,
	"net/ipv6/conf/default/accept_redirects": 0,
	// Each refusal is told: by its default the kernel tells a client of one a second after the first six, and one who asks
	// a resolver ten questions (kinit does) waits 5 s for each that was not told of. The limit for all, 1000 a second, stays.
	"net/ipv4/icmp_ratelimit": 0,
	"net/ipv6/icmp/ratelimit": 0,
	// Bridged frames stay out of the inet rules, also where br_netfilter is loaded.
	"net/bridge/bridge-nf-call-iptables": 0,
	"net/bridge/bridge-nf-call-ip6tables": 0,
	"net/bridge/bridge-nf-call-arptables": 0,
} as const;

/**
 * A site's network: one namespace with a bridge a segment, and no way from it to the host's own network.
 *
 * INVARIANTS
 * - The firewall is in place before the first bridge is.
 * - Ports are isolated from each other, learn nothing and are never flooded: a frame for a server leaves by that
 *   server's own port or not at all, whatever other guests claim to be.
 * - What comes from a port is sent as its own server, by MAC and IP address, in ARP and NDP, or it is dropped and counted.
 * - What guests send each other is routed, through the firewall: bridges answer for every server.
 * - One port at a time has a server's address, however many of its sessions there are.
 * - A neighbour entry stays when its port goes: connections to a dead guest meet silence, which the front door
 *   waits out, and not an error, which it would have to pass on.
 */
export class Sandbox {
	readonly namespace: string;
	readonly site: string;
	/** Opened with the first port: from then on a recovery may need it. */
	readonly #shell: OpenShell;
	/** What an earlier daemon's rehearsals left has been removed; from then on they are this one's. */
	#swept = false;

	constructor(namespace: string, site: string) {
		this.namespace = namespace;
		this.site = site;
		this.#shell = new OpenShell(shellInside(namespace));
	}

	static async exists(namespace: string): Promise<boolean> {
		return (await namespaces()).includes(namespace);
	}

	/**
	 * Brings the namespace and its bridges to what the segments say; ports and permissions that are there stay.
	 * When a step fails, what was made before it is taken away again.
	 * @throws CommandError, BulkheadError for a subnet that is none
	 */
	async ensure(segments: readonly SegmentPlan[]): Promise<void> {
		if (!this.#swept) await sweepRehearsals(this.namespace);
		this.#swept = true;
		// What is no network is found before anything is made.
		for (const segment of segments) endOf(segment);
		await using undo = new AsyncDisposableStack();
		if (!(await Sandbox.exists(this.namespace))) {
			await addNamespace(this.namespace);
			undo.defer(async () => await deleteNamespace(this.namespace));
		}
		await this.#prepare();
		const there = await this.#bridges();
		for (const segment of segments) await ensureBridge(this.namespace, this.site, segment, there, undo);
		const names = new Set(segments.map(({ name }) => bridgeNameOf(name)));
		for (const { ifname } of there) if (!names.has(ifname)) await this.#ip("link", "del", ifname);
		undo.move();
	}

	/**
	 * Lets front doors connect to exactly these, and guests do exactly this among each other. Front doors keep what is
	 * established; guests lose what is allowed no more. Counters go on. @throws CommandError, RangeError
	 */
	async permit(
		allowed: readonly Permission[],
		between: Between = { paths: [], open: [] },
		answerers: readonly Answerer[] = [],
	): Promise<void> {
		await permitExactly(this.namespace, allowed, between, answerers);
	}

	/**
	 * Makes a session's port: a tap that the user may open, in place of any that was left over by a session that
	 * has ended. One that a running QEMU holds is left as it is. No frame passes it until `connect`.
	 * @throws CommandError; then no port is left behind
	 */
	async addPort(port: PortPlan): Promise<void> {
		const old = (await links(this.namespace)).find(({ ifname }) => ifname === port.tap);
		if (old && isHeld(old)) return;
		if (old) await this.#ip("link", "del", port.tap);
		await using undo = new AsyncDisposableStack();
		await this.#ip("tuntap", "add", "dev", port.tap, "mode", "tap", "user", `${port.uid}`);
		undo.defer(async () => await this.removePort(port));
		await enslave(this.namespace, port);
		undo.move();
	}

	/**
	 * Asks a session for pages before its port is opened.
	 * @param address the guest's gateway, as `10.77.0.1/24`
	 * @throws CommandError; then its port is closed as before, unless that failed too
	 */
	async rehearse(
		port: PortPlan,
		address: string,
		asks: Rehearsal["asks"],
		deadlineMs: number,
		signal: AbortSignal,
	): Promise<void> {
		const gateway = { address, mac: bridgeMacOf(this.site, port.segment) };
		await rehearse(this.namespace, { port, gateway, asks }, deadlineMs, signal);
	}

	/** Opens a port, and gives the server's address to it. @throws CommandError */
	async connect(port: PortPlan): Promise<void> {
		await this.openPort(port);
		await this.pointAt(port);
	}

	/** Lets frames pass a port; none come as long as it has no address. @throws CommandError */
	async openPort(port: PortPlan): Promise<void> {
		this.#shell.open();
		await makeKnown(async (file, ...args) => await this.#now(file, ...args), port);
		await raise(this.namespace, port);
	}

	/** Lets nothing pass a port any more, in either direction, if it is there. @throws CommandError */
	async closePort({ tap }: Pick<PortPlan, "tap">): Promise<void> {
		const there = (await links(this.namespace)).some(({ ifname }) => ifname === tap);
		if (there) await this.#ip("link", "set", tap, "down");
	}

	/**
	 * Gives the server's address to this open port, and takes it from the one that had it before: from here on what comes
	 * for the server waits in this port until its session reads it. One command, as users wait for it.
	 * @throws CommandError
	 */
	async pointAt({ mac, tap }: PortPlan): Promise<void> {
		await this.#now("bridge", "fdb", "replace", mac, "dev", tap, "master", "static");
	}

	/** Takes away all ports whose names begin so, such as a server's. @throws CommandError */
	async removePorts(prefix: string): Promise<void> {
		const there = (await links(this.namespace)).filter(({ ifname }) => ifname.startsWith(prefix));
		for (const { ifname } of there) await this.#ip("link", "del", ifname);
		await forget(this.namespace, (tap) => tap.startsWith(prefix));
	}

	/** Forgets where servers are that are not among these any more. @throws CommandError */
	async knowOnly(servers: readonly Known[]): Promise<void> {
		await knowOnly(this.namespace, this.site, servers);
	}

	/** Takes the port away, if it is there, and leaves its address silent. @throws CommandError */
	async removePort(port: Pick<PortPlan, "tap">): Promise<void> {
		const there = (await links(this.namespace)).some(({ ifname }) => ifname === port.tap);
		if (there) await this.#ip("link", "del", port.tap);
		await forget(this.namespace, (tap) => tap === port.tap);
	}

	/**
	 * Destroys the connections to a guest, not those that are still being opened, from inside the namespace, at once: HAProxy cannot know that the other end
	 * has died, and would wait for its own timeout. Needs a kernel with CONFIG_INET_DIAG_DESTROY; without it this
	 * does nothing, and requests in flight wait until the new session's kernel resets them.
	 * @throws CommandError
	 */
	async cut(address: string): Promise<void> {
		await this.#now("ss", "-K", "-t", "-n", "state", "synchronized", "dst", address);
	}

	/** Takes everything away, if it is there. Processes inside must have ended: they would keep it in being. */
	async destroy(): Promise<void> {
		await this.#shell.close();
		await sweepRehearsals(this.namespace);
		if (!(await Sandbox.exists(this.namespace))) return;
		for (const { ifname } of await this.#bridges()) await this.#ip("link", "del", ifname);
		await deleteNamespace(this.namespace);
	}

	async #prepare(): Promise<void> {
		await setKernel(this.namespace, kernelSettings);
		// An earlier daemon's permissions are in use by its front doors; other rules come with the next permissions.
		if ((await stateOf(this.namespace, firewall)) === "none") await this.permit([]);
		await guardPorts(this.namespace);
		await this.#ip("link", "set", "lo", "up");
	}

	async #bridges(): Promise<Link[]> {
		return (await links(this.namespace)).filter(({ linkinfo }) => linkinfo?.info_kind === "bridge");
	}

	async #ip(...args: string[]): Promise<void> {
		await ip(this.namespace, ...args);
	}

	/** What users wait for. */
	async #now(file: string, ...args: string[]): Promise<void> {
		await this.#shell.run(file, args, nowWithinMs);
	}
}

/** A tap has a carrier exactly while a process holds it open. */
function isHeld(link: Link): boolean {
	return link.flags?.includes("LOWER_UP") ?? false;
}
