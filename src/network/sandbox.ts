import { gatewayOf, parseSubnet } from "../api/addresses.ts";
import { BulkheadError } from "../api/errors.ts";
import { OpenShell } from "../host/shell.ts";
import {
	addNamespace,
	deleteNamespace,
	inside,
	ip,
	type Link,
	links,
	namespaces,
	setKernel,
	shellInside,
} from "./namespace.ts";
import { bridgeMacOf, bridgeNameOf, type Permission, type PortPlan, type SegmentPlan } from "./plan.ts";
import { enslave } from "./port.ts";
import { type Rehearsal, rehearse, sweepRehearsals } from "./rehearsal.ts";
import { rulesetOf } from "./ruleset.ts";
import { forget, guardPorts, makeKnown } from "./spoofing.ts";

/** Milliseconds for a command that users wait for; it takes two. */
const nowWithinMs = 5000;

/** A new namespace takes these from the host, so they are said, not assumed. Missing ones are left out. */
const kernelSettings = {
	"net/ipv4/ip_forward": 0,
	"net/ipv4/conf/all/accept_redirects": 0,
	"net/ipv4/conf/default/accept_redirects": 0,
	// Segments are IPv4 for now; no link-local chatter on the bridges.
	"net/ipv6/conf/all/disable_ipv6": 1,
	"net/ipv6/conf/default/disable_ipv6": 1,
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
 * - What comes from a port is sent as its own server, by MAC and IPv4 address and in ARP, or it is dropped and counted.
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
		const wanted = segments.map((segment) => ({ segment, ...endOf(segment) }));
		await using undo = new AsyncDisposableStack();
		if (!(await Sandbox.exists(this.namespace))) {
			await addNamespace(this.namespace);
			undo.defer(async () => await deleteNamespace(this.namespace));
		}
		await this.#prepare();
		const there = await this.#bridges();
		for (const { segment, address } of wanted) await this.#ensureBridge(segment, address, there, undo);
		const names = new Set(segments.map(({ name }) => bridgeNameOf(name)));
		for (const { ifname } of there) if (!names.has(ifname)) await this.#ip("link", "del", ifname);
		undo.move();
	}

	/** Lets front doors connect to exactly these; what is established stays. @throws CommandError */
	async permit(allowed: readonly Permission[]): Promise<void> {
		await inside(this.namespace, ["nft", "-f", "-"], rulesetOf(allowed));
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
	 * @param subnet the segment's
	 * @throws CommandError; then its port is closed as before, unless that failed too
	 */
	async rehearse(
		port: PortPlan,
		subnet: string,
		asks: Rehearsal["asks"],
		deadlineMs: number,
		signal: AbortSignal,
	): Promise<void> {
		const { address } = endOf({ name: port.segment, subnet });
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
		const { address, mac, segment, tap } = port;
		await makeKnown(this.namespace, port);
		await this.#ip(
			"neigh",
			"replace",
			address,
			"lladdr",
			mac,
			"dev",
			bridgeNameOf(segment),
			"nud",
			"permanent",
		);
		await this.#ip("link", "set", tap, "up");
		this.#shell.open();
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
		const tables = await inside(this.namespace, ["nft", "list", "tables"]);
		// An earlier daemon's permissions are in use by its front doors.
		if (!tables.split("\n").includes("table inet bulkhead")) await this.permit([]);
		await guardPorts(this.namespace);
		await this.#ip("link", "set", "lo", "up");
	}

	async #bridges(): Promise<Link[]> {
		return (await links(this.namespace)).filter(({ linkinfo }) => linkinfo?.info_kind === "bridge");
	}

	async #ensureBridge(
		segment: SegmentPlan,
		address: string,
		there: readonly Link[],
		undo: AsyncDisposableStack,
	): Promise<void> {
		const name = bridgeNameOf(segment.name);
		const mac = bridgeMacOf(this.site, segment.name);
		const old = there.find(({ ifname }) => ifname === name);
		const plain = ["stp_state", "0", "forward_delay", "0", "mcast_snooping", "0"];
		if (!old) {
			await this.#ip("link", "add", name, "address", mac, "type", "bridge", ...plain);
			undo.defer(async () => await this.#ip("link", "del", name));
		} else if (old.address !== mac) await this.#ip("link", "set", name, "address", mac);
		if (!hasOnly(old, address)) {
			await this.#ip("addr", "flush", "dev", name);
			await this.#ip("addr", "add", address, "dev", name);
		}
		await this.#ip("link", "set", name, "up");
	}

	async #ip(...args: string[]): Promise<void> {
		await ip(this.namespace, ...args);
	}

	/** What users wait for. */
	async #now(file: string, ...args: string[]): Promise<void> {
		await this.#shell.run(file, args, nowWithinMs);
	}
}

/** The sandbox's own end of a segment: `10.77.0.1/24`. */
function endOf(segment: SegmentPlan): { address: string } {
	const subnet = parseSubnet(segment.subnet);
	if (subnet) return { address: `${gatewayOf(subnet)}/${subnet.length}` };
	const message = `segments.${segment.name}.subnet: "${segment.subnet}" is not an IPv4 network; write it as 10.77.0.0/24`;
	throw new BulkheadError("bad-input", message);
}

function hasOnly(link: Link | undefined, address: string): boolean {
	const has = (link?.addr_info ?? []).filter(({ family }) => family === "inet");
	return has.length === 1 && has.every(({ local, prefixlen }) => `${local}/${prefixlen}` === address);
}

/** A tap has a carrier exactly while a process holds it open. */
function isHeld(link: Link): boolean {
	return link.flags?.includes("LOWER_UP") ?? false;
}
