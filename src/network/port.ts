import { bridge, ip } from "./namespace.ts";
import { bridgeNameOf, type PortPlan } from "./plan.ts";

/** Makes an interface a port of its segment's bridge: isolated from the others, it learns nothing and is never flooded. */
export async function enslave(namespace: string, { tap, segment }: PortPlan): Promise<void> {
	await ip(namespace, "link", "set", tap, "txqueuelen", "1000", "master", bridgeNameOf(segment));
	const closed = ["learning", "flood", "mcast_flood", "bcast_flood"].flatMap((option) => [option, "off"]);
	await bridge(namespace, "link", "set", "dev", tap, "isolated", "on", ...closed);
}
