import { formatAddress6, linkLocalOf, parseAddress6 } from "../api/addresses6.ts";
import { ip, ipBatch } from "./namespace.ts";
import { bridgeNameOf, type PortPlan } from "./plan.ts";

/**
 * What is sent to bridges themselves (01:80:c2:00:00:00 to 0f, IEEE 802.1D) is treated as what is sent to any group, but for
 * pauses (01), which are always dropped. Else the kernel takes it out of the port before any rule of the bridge sees it.
 */
const everyGroup = "0xfffd";

/**
 * Makes an interface a port of its segment's bridge: isolated from the others, it learns nothing and is never flooded, but
 * with what is sent to everybody; of that only answers to its own server's DHCP client pass (spoofing.ts).
 */
export async function enslave(namespace: string, { tap, segment }: PortPlan): Promise<void> {
	await ip(namespace, "link", "set", tap, "txqueuelen", "1000", "master", bridgeNameOf(segment));
	const closed = ["learning", "flood", "mcast_flood"].flatMap((option) => [option, "off"]);
	const options = ["isolated", "on", "bcast_flood", "on", ...closed, "group_fwd_mask", everyGroup];
	await ip(namespace, "link", "set", tap, "type", "bridge_slave", ...options);
}

/**
 * Lets frames pass a port, after the sandbox has been told by hand where its server is: nothing is ever asked of guests,
 * so no answer of theirs can be forged. For IPv6 the bridge has to be told too whom it answers for.
 * The port must have been found right before (spoofing.ts). @throws CommandError
 */
export async function raise(
	namespace: string,
	{ tap, mac, segment, address, address6 }: PortPlan,
): Promise<void> {
	const dev = bridgeNameOf(segment);
	const six = address6 === undefined ? [] : [formatAddress6(parseAddress6(address6) ?? 0n)];
	const own = [address, ...six, ...six.map(() => linkLocalOf(mac))];
	await ipBatch(namespace, [
		...own.map((one) => `neigh replace ${one} lladdr ${mac} dev ${dev} nud permanent`),
		...six.map((one) => `neigh replace proxy ${one} dev ${dev}`),
		`link set ${tap} up`,
	]);
}
