import type { PublishedView } from "../api/server.ts";

/** Where users of a published service come to: `port 8080 of this host`, or the server's own address. */
export function placeText({ listen, protocol }: Pick<PublishedView, "listen" | "protocol">): string {
	if (listen === null) return "its own address";
	return `${protocol === "udp" ? "UDP port" : "port"} ${listen} of this host`;
}

/** All ports inside the server in a few words: `tcp 53, udp 53`; of many the first. */
export function portsText(ports: readonly string[]): string {
	return ports.length <= 3 ? ports.join(", ") : `${ports[0]} and ${ports.length - 1} more`;
}

/** Who may reach it. */
export function whoText({ to, listen }: Pick<PublishedView, "to" | "listen">): string {
	if (to === "host") return "this host only";
	return listen === null ? "everybody on the LAN" : "everybody who reaches this host";
}
