import { mkdir } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { dnsAddress } from "../../../api/domain.ts";
import { accepts } from "../../../host/accepts.ts";
import { launchInBubble } from "../../../host/confine.ts";
import { readIfThere, writeFileAtomic } from "../../../host/files.ts";
import { endProcess, isAlive, type ProcessIdentity, sendSignal } from "../../../host/process.ts";
import { lastWords, processSeeing } from "../../../host/recorded.ts";
import { memberFiles } from "../plan.ts";
import { entering } from "../view.ts";
import type { Zone } from "./resolver.ts";

const inside = { config: "/dns/dnsmasq.conf", servers: "/dns/servers", run: "/dns/run" };
const listensWithinMs = 5000;
/** Questions that may wait: those to controllers that are silent must not keep others from being asked. */
const mostWaiting = 2000;

function filesOf(folder: string) {
	const { dns } = memberFiles(folder);
	const at = (name: string) => join(dns, name);
	return {
		...{ folder: dns, config: at("dnsmasq.conf"), run: at("run") },
		// Bound as a folder: what replaces the list in it is seen inside too.
		...{ servers: at("servers"), list: at("servers/list") },
		...{ status: at("status.json"), output: at("output.log") },
	};
}

/** What dnsmasq is started with, and whom it asks, which it reads again when told to. */
export interface Forwarding {
	config: string;
	servers: string;
}

/**
 * Asks the controllers for the domain's names, and another for all others; refuses these where there is none. Of several controllers
 * the quickest is asked: they all know the same. Nothing is kept: a controller may name others' names in its answers, and nobody
 * is to be told those.
 * @param other one alone: dnsmasq would ask several in no order
 * @throws RangeError for what is no name or address; pure
 */
export function forwardingOf({ realm, controllers }: Zone, other: string | null): Forwarding {
	if (!/^[A-Za-z0-9.-]+$/.test(realm)) throw new RangeError(`not a domain: ${realm}`);
	const others = other === null ? [] : [other];
	for (const address of [...controllers, ...others])
		if (isIP(address) === 0 || !/^[0-9A-Za-z.:%_-]+$/.test(address))
			throw new RangeError(`not an address: ${address}`);
	const config = [
		"port=53",
		`listen-address=${dnsAddress}`,
		"bind-interfaces",
		"no-resolv",
		"no-hosts",
		"pid-file",
		"log-facility=-",
		"cache-size=0",
		`dns-forward-max=${mostWaiting}`,
		`servers-file=${inside.servers}/list`,
	];
	const servers = [
		...others.map((address) => `server=${address}`),
		// With none the domain's names are not there: nobody else is to be asked for them.
		...(controllers.length > 0 ? controllers : [""]).map((one) => `server=/${realm.toLowerCase()}/${one}`),
	];
	return { config: textOf(config), servers: textOf(servers) };
}

function textOf(lines: readonly string[]): string {
	return lines.map((line) => `${line}\n`).join("");
}

/** @returns what it was told; undefined when it does not run */
export async function forwardedBy(folder: string): Promise<Forwarding | undefined> {
	if ((await forwarderProcess(folder)) === undefined) return undefined;
	const { config, list } = filesOf(folder);
	return { config: (await readIfThere(config)) ?? "", servers: (await readIfThere(list)) ?? "" };
}

/**
 * Has the one that runs ask others from now on. It goes on listening: where nobody listens, the host's programs ask its
 * other name servers, which do not know the domain's names.
 */
export async function tellForwarder(folder: string, servers: string): Promise<void> {
	await writeFileAtomic(filesOf(folder).list, servers, 0o644);
	const running = await forwarderProcess(folder);
	if (running) sendSignal(running, "SIGHUP");
}

/**
 * Starts it, in another's place. It lives on when the daemon ends.
 * @param groups `cgroup.procs` files that it enters
 * @throws Error with its last words when it could not be started
 */
export async function startForwarder(
	folder: string,
	{ config, servers }: Forwarding,
	{ uid, groups }: { uid: number; groups: readonly string[] },
): Promise<void> {
	if (!(await endForwarder(folder))) throw new Error("dnsmasq does not end, even when killed");
	const files = filesOf(folder);
	for (const made of [files.run, files.servers]) await mkdir(made, { recursive: true, mode: 0o755 });
	await writeFileAtomic(files.config, config, 0o644);
	await writeFileAtomic(files.list, servers, 0o644);
	const command = [...entering(groups), ...confined(folder, uid)];
	const { identity } = await launchInBubble(command, { status: files.status, output: files.output });
	const end = performance.now() + listensWithinMs;
	while (!(await accepts({ host: dnsAddress, port: 53 }, 1000))) {
		if (!isAlive(identity)) throw new Error(await forwarderWords(folder));
		if (performance.now() > end)
			throw new Error(`dnsmasq does not listen at ${dnsAddress} within ${listensWithinMs / 1000} s`);
		await delay(50);
	}
}

/** In the host's own network, where it may listen on a port below 1024, and that is all it may. */
function confined(folder: string, uid: number): string[] {
	const { config, servers, run } = filesOf(folder);
	const caps = "-all,+net_bind_service";
	return [
		...["bwrap", "--new-session", "--json-status-fd", "3", "--unshare-ipc", "--unshare-uts", "--clearenv"],
		...["--ro-bind", "/usr", "/usr"],
		...["bin", "sbin", "lib", "lib64"].flatMap((name) => ["--symlink", `usr/${name}`, `/${name}`]),
		...["--dev", "/dev", "--perms", "0755", "--dir", "/dns"],
		...["--ro-bind", config, inside.config, "--ro-bind", servers, inside.servers],
		...["--ro-bind", run, inside.run, "--chdir", inside.run, "--"],
		...["setpriv", "--reuid", `${uid}`, "--regid", `${uid}`, "--clear-groups", "--no-new-privs"],
		...[`--inh-caps=${caps}`, `--ambient-caps=${caps}`, `--bounding-set=${caps}`, "--"],
		...["/usr/sbin/dnsmasq", "--keep-in-foreground", `--conf-file=${inside.config}`, "--user", "--group"],
	];
}

/** @returns its process, when it runs; a pid alone may be another program's by now */
export async function forwarderProcess(folder: string): Promise<ProcessIdentity | undefined> {
	const { status, run } = filesOf(folder);
	return await processSeeing(status, inside.run, run);
}

/** @returns false when it does not end */
export async function endForwarder(folder: string): Promise<boolean> {
	const running = await forwarderProcess(folder);
	return running === undefined || (await endProcess(running, 1000));
}

/** @returns what it wrote last, in one line */
export async function forwarderWords(folder: string): Promise<string> {
	return await lastWords("dnsmasq", filesOf(folder).output);
}
