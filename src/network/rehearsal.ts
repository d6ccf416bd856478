import { fileURLToPath } from "node:url";
import { run } from "../host/command.ts";
import { addNamespace, deleteNamespace, ip, namespaces, pathOf, setKernel } from "./namespace.ts";
import type { PortPlan } from "./plan.ts";
import { enslave } from "./port.ts";

/** What a session is asked before it stands by. */
export interface Rehearsal {
	port: PortPlan;
	/** The sandbox's own end of the segment, as the session will see it: `10.77.0.1/24`, and its hardware address. */
	gateway: { address: string; mac: string };
	/** Pages, by port. */
	asks: readonly { port: number; path: string }[];
}

const client = fileURLToPath(new URL("rehearsal-client.ts", import.meta.url));

const prefixOf = (namespace: string) => `${namespace}-rehearses-`;

/**
 * Asks a session for pages over its own network card, as its users will: what serves them is in memory then, and under
 * emulation translated. Its address is another session's meanwhile, so its port is taken to a namespace of its own,
 * which has nobody in it but the one who asks, under the address that the front door will ask from.
 * The port is back in the sandbox afterwards, closed, also when this fails.
 * @param namespace the sandbox's
 * @throws CommandError; DOMException when aborted
 */
export async function rehearse(
	namespace: string,
	{ port, gateway, asks }: Rehearsal,
	deadlineMs: number,
	signal: AbortSignal,
): Promise<void> {
	const { tap } = port;
	const own = prefixOf(namespace) + tap;
	await using undo = new AsyncDisposableStack();
	await addNamespace(own);
	undo.defer(async () => await deleteNamespace(own));
	await setKernel(own, { "net/ipv6/conf/default/disable_ipv6": 1 });
	await ip(namespace, "link", "set", tap, "netns", own);
	undo.defer(async () => await bringBack(own, namespace, port));
	await ip(own, "link", "set", tap, "address", gateway.mac, "up");
	await ip(own, "addr", "add", gateway.address, "dev", tap);
	await ip(own, "neigh", "replace", port.address, "lladdr", port.mac, "dev", tap, "nud", "permanent");
	const pages = asks.map(({ port: number, path }) => `${number}${path}`);
	// It comes after everybody whose users wait.
	const command = ["chrt", "--idle", "0", process.execPath, client, port.server, port.address, ...pages];
	await run("nsenter", [`--net=${pathOf(own)}`, "--", ...command], { deadlineMs, signal });
}

async function bringBack(own: string, namespace: string, port: PortPlan): Promise<void> {
	await ip(own, "link", "set", port.tap, "down");
	await ip(own, "addr", "flush", "dev", port.tap);
	await ip(own, "link", "set", port.tap, "netns", pathOf(namespace));
	await enslave(namespace, port);
}

/** Removes what rehearsals left behind whose daemon was killed; their sessions must have ended. */
export async function sweepRehearsals(namespace: string): Promise<void> {
	for (const name of await namespaces()) {
		if (name.startsWith(prefixOf(namespace))) await deleteNamespace(name);
	}
}
