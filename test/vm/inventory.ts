import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import {
	descriptorsOf,
	groupsOf,
	kindOfDescriptor,
	memoryFilesOf,
	mountsOf,
	nameOf,
	processesOf,
	withoutNumbers,
} from "../../bench/recovery/inventory.ts";
import { isGone } from "../../bench/recovery/memory.ts";
import { listIfThere } from "../../src/host/files.ts";
import { at } from "../../src/network/outbound/outside.ts";
import type { Paths } from "../../src/store/paths.ts";
import { instanceTag } from "../../src/store/paths.ts";

/** Lines that name what is there, sorted, by what it is; two of one kind are two equal lines. */
export type Inventory = Record<string, string[]>;

/** Whose belongings are looked at. */
export interface Owner {
	paths: Paths;
	/** The network namespace that is the host's network to the daemon: all in it is listed, whoever made it. */
	host: string;
	/** Of the daemon; undefined when none runs. */
	pid: number | undefined;
}

/**
 * Everything that a daemon, its servers and its front doors have on the host, by name. Left out is what differs between
 * two runs of the same: numbers of sessions and processes, random hardware addresses, what counters have counted, and
 * records that are kept on purpose (incidents, the last sessions, events).
 */
export async function inventoryOf({ paths, host, pid }: Owner): Promise<Inventory> {
	const tag = instanceTag(paths.state);
	const namespaces = (await listIfThere("/run/netns")).filter((name) => name.startsWith(`bh-${tag}-`));
	const networks = await Promise.all(
		[host, ...namespaces].map(async (name) => await networkOf(name, name === host)),
	);
	const pids = await processesOf(paths, pid ?? -1);
	const named = (await Promise.all(pids.map(nameOf))).flatMap((name) => name ?? []);
	const isDaemons = (name: string) => name.startsWith("the daemon's: ");
	const memory = await memoryFilesOf([...(pid === undefined ? [] : [pid]), ...pids]);
	const all: Inventory = {
		namespaces: namespaces.map(withoutNumbers),
		...Object.assign({}, ...networks),
		processes: named.filter((name) => !isDaemons(name)),
		"control groups": await groupsOf(paths),
		"memory in files": [...memory.values()].map(({ name }) => name),
		run: (await allBelow(paths.run)).map(withoutNumbers),
		state: (await allBelow(paths.state)).flatMap(stateLine),
		history: historyOf(paths.history),
		mounts: [...(pid === undefined ? [] : Object.entries(await mountsOf(pid, paths, `bh-${tag}-`)))].map(
			([where, count]) => `${count} ${where}`,
		),
		builds: (await listIfThere(join(paths.cache, "templates"))).filter((name) => name.startsWith(".")),
	};
	return Object.fromEntries(Object.entries(all).map(([what, lines]) => [what, lines.sort()]));
}

/** What the daemon itself holds open, by kind: the same for as long as the same daemon runs, and not for another. */
export async function heldByDaemon(pid: number): Promise<string[]> {
	return (await descriptorsOf(pid)).map(kindOfDescriptor).sort();
}

/** @returns each line that only one of both has, in words */
export function differences(before: Inventory, after: Inventory): string[] {
	const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
	return names.flatMap((what) => {
		const [was, is] = [[...(before[what] ?? [])], [...(after[what] ?? [])]];
		for (const line of [...was]) {
			if (!is.includes(line)) continue;
			was.splice(was.indexOf(line), 1);
			is.splice(is.indexOf(line), 1);
		}
		return [...was.map((line) => `${what}: missing ${line}`), ...is.map((line) => `${what}: left ${line}`)];
	});
}

/**
 * Waits until the inventory is one of these.
 * @returns which of them. @throws Error with what differs from each when the time is over
 */
export async function untilIs(
	owner: () => Owner,
	wanted: Readonly<Record<string, Inventory>>,
	deadlineMs: number,
): Promise<string> {
	const end = performance.now() + deadlineMs;
	for (;;) {
		const now = await lookAt(owner);
		const found = Object.entries(wanted).map(
			([name, one]) => [name, typeof now === "string" ? [now] : differences(one, now)] as const,
		);
		const same = found.find(([, differing]) => differing.length === 0);
		if (same) return same[0];
		if (performance.now() > end)
			throw new Error(found.map(([name, lines]) => `not as ${name}:\n  ${lines.join("\n  ")}`).join("\n"));
		await delay(300);
	}
}

/** Waits until two looks in a row, a second apart, find the same. @returns it. @throws Error with what still changes */
export async function settled(owner: () => Owner, deadlineMs = 60_000): Promise<Inventory> {
	const end = performance.now() + deadlineMs;
	for (let last = await lookAt(owner); ; ) {
		await delay(1000);
		const now = await lookAt(owner);
		const changes = changesBetween(last, now);
		if (typeof now !== "string" && changes.length === 0) return now;
		if (performance.now() > end) throw new Error(`it does not come to rest:\n${changes.join("\n")}`);
		last = now;
	}
}

/** @returns what is there; in words, why it could not be read: what is looked at may go at that moment */
async function lookAt(owner: () => Owner): Promise<Inventory | string> {
	return await inventoryOf(owner()).catch((error: unknown) => String(error));
}

function changesBetween(last: Inventory | string, now: Inventory | string): string[] {
	const unread = [last, now].filter((one) => typeof one === "string");
	return unread.length > 0 ? unread : differences(last as Inventory, now as Inventory);
}

// ---- files

/** Everything below a folder, folders too, by its path from there; what goes away meanwhile is left out. */
async function allBelow(folder: string, path = ""): Promise<string[]> {
	const entries = await readdir(join(folder, path), { withFileTypes: true }).catch((error: unknown) => {
		if (isGone(error)) return [];
		throw error;
	});
	const found = entries.map(async (entry) => {
		const own = join(path, entry.name);
		return entry.isDirectory() ? [`${own}/`, ...(await allBelow(folder, own))] : [own];
	});
	return (await Promise.all(found)).flat();
}

function stateLine(path: string): string[] {
	const [, server, kind, number, ...rest] = path.split("/");
	if (!path.startsWith("servers/")) return /^history\.sqlite|^daemon\.log/.test(path) ? [] : [path];
	if (kind === "incidents") return [];
	// Records of the last sessions are kept; a throw-away disk is there exactly while its session is.
	if (kind === "sessions") {
		const isDisk = rest.join("/") === "own/system.qcow2" && number !== undefined;
		return isDisk ? [`servers/${server}/sessions/N/own/system.qcow2`] : [];
	}
	return [path];
}

/** Servers that something is kept of in the tables of traffic. */
function historyOf(file: string): string[] {
	try {
		using database = new DatabaseSync(file, { readOnly: true });
		return ["traffic", "traffic_seen"].flatMap((table) =>
			database
				.prepare(`SELECT DISTINCT server FROM ${table}`)
				.all()
				.map(({ server }) => `${table} of ${server}`),
		);
	} catch (error) {
		// Before the first daemon there is none.
		if (/unable to open|no such table/.test(String(error))) return [];
		throw error;
	}
}

// ---- networks

interface Address {
	family: string;
	local: string;
	prefixlen: number;
}

interface Shown {
	ifname: string;
	address?: string;
	operstate?: string;
	master?: string;
	linkinfo?: { info_kind?: string };
	addr_info?: Address[];
}

async function networkOf(namespace: string, isHost: boolean): Promise<Inventory> {
	const name = isHost ? "host" : "sandbox";
	const read = async (...command: string[]) => await at({ namespace }, command);
	const json = async (...command: string[]) => JSON.parse((await read(...command)).trim() || "[]");
	const lines = async (...command: string[]) =>
		(await read(...command)).split("\n").flatMap((line) => line.trim().replace(/\s+/g, " ") || []);
	const both = async (...args: string[]) =>
		(await Promise.all([4, 6].map((family) => lines("ip", `-${family}`, ...args)))).flat();
	// One wait for all: when the namespace goes meanwhile, they all fail together.
	const [links, routes, rules, known, answered, forwarding, firewall, listening] = await Promise.all([
		json("ip", "-d", "-j", "addr") as Promise<Shown[]>,
		both("route", "show", "table", "all"),
		both("rule"),
		lines("ip", "neigh", "show", "nud", "permanent"),
		both("neigh", "show", "proxy"),
		lines("bridge", "fdb", "show"),
		json("nft", "-j", "-s", "list", "ruleset"),
		lines("ss", "-H", "-l", "-n", "-t", "-u"),
	]);
	const macs = new Set(links.flatMap(({ address }) => address ?? []));
	const plain = (line: string) => line.replace(/\btap(\d+)-\d+/g, "tap$1-N");
	return {
		[`${name}: interfaces`]: links.map(linkLine).map(plain),
		[`${name}: routes`]: routes.filter(isNoChance).map(plain),
		[`${name}: rules of routing`]: rules,
		[`${name}: neighbours`]: [...known, ...answered].map(plain),
		[`${name}: forwarding`]: forwarding
			.filter((line) => !/^(33:33|01:00:5e)/.test(line))
			.map((line) => withoutChance(line, macs))
			.map(plain)
			// A tap that was rehearsed has the gateway's, which the bridge has too; one that was not has its own.
			.filter((line) => !line.startsWith("its own dev tap")),
		[`${name}: firewall`]: firewallLines(firewall).map(plain),
		[`${name}: listens`]: listening.map(listenLine),
	};
}

/** Protocol, state and local address of a line of `ss`. */
function listenLine(line: string): string {
	const [protocol, state, , , address] = line.split(" ");
	return `${protocol} ${state} ${address}`;
}

function linkLine({ ifname, linkinfo, operstate, master, addr_info = [] }: Shown): string {
	// What a kernel makes by itself of a tap's random hardware address.
	const addresses = addr_info.filter(
		({ local }) => ifname.startsWith("tap") === false || !/^fe80:/.test(local),
	);
	const kind = [linkinfo?.info_kind ?? "other", operstate ?? "", master ?? ""].join(" ");
	return `${ifname} ${kind} ${addresses.map(({ local, prefixlen }) => `${local}/${prefixlen}`).sort()}`;
}

function isNoChance(line: string): boolean {
	return !/ dev tap\d/.test(line);
}

/** A tap's own hardware address is random. */
function withoutChance(line: string, macs: ReadonlySet<string>): string {
	const [mac = "", ...rest] = line.split(" ");
	const isOwn = macs.has(mac) && !/^(02:00:5e|52:54:00)/.test(mac);
	return [isOwn ? "its own" : mac, ...rest].join(" ");
}

/** One line a table, chain, rule, set, element and counter. */
function firewallLines({ nftables = [] }: { nftables?: Record<string, Statement>[] }): string[] {
	return nftables.flatMap((entry) => {
		const [[kind, what] = []] = Object.entries(entry);
		if (kind === undefined || what === undefined || kind === "metainfo") return [];
		const { elem = [], handle: _, index: __, packets: ___, bytes: ____, ...rest } = what;
		const name = `${what.family} ${what.table ?? ""} ${what.name ?? what.chain ?? ""}`;
		const elements = elem.map((one) => `element of ${name}: ${JSON.stringify(contentOf(one))}`);
		return [`${kind} ${JSON.stringify(rest)}`, ...elements];
	});
}

interface Statement {
	family?: string;
	table?: string;
	chain?: string;
	name?: string;
	elem?: unknown[];
	handle?: number;
	index?: number;
	packets?: number;
	bytes?: number;
}

function contentOf(element: unknown): unknown {
	const { elem } = element as { elem?: { val?: unknown } };
	return elem?.val ?? element;
}

/** @returns the daemon's folders' paths as an owner. */
export function ownerOf(instance: { paths: Paths; pid: number | undefined }, host: string): Owner {
	return { paths: instance.paths, host, pid: instance.pid };
}
