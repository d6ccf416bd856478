import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readlink } from "node:fs/promises";
import { isIPv4 } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { CommandError, run } from "../host/command.ts";
import { readIfThere } from "../host/files.ts";
import type { PortRange } from "./inbound/plan.ts";
import { pathOf } from "./namespace.ts";

/** The end of a child's standard error that goes into an error message, characters. */
const mostSaid = 2000;
/** Milliseconds: how often it is looked whether the kernel tells of connections already, and for how long at most. */
const [lookEveryMs, listensWithinMs] = [10, 5000];
const listedWithinMs = 10_000;

interface Watched {
	/** The site's network namespace. */
	namespace: string;
	address: string;
	/** Of the server. */
	ports: readonly PortRange[];
	/** Addresses of the sandbox: a health check may wait since before, and what waits for the front door tries again. */
	own: readonly string[];
}

/**
 * Waits until somebody opens a connection to one of a sleeping server's ports: its front door, or a client that reaches its
 * own address. The kernel's connection tracking
 * tells, within a few milliseconds and at no cost while nobody comes. Of who came before this listened, and waits since, it
 * tells nothing, also not when he tries again: so it is asked for those once. The front door gives an attempt up after 100 ms
 * without an answer, and the next is seen. Health checks are connections too: pause them before.
 * @param watched with all addresses of the server, those of IPv6 in their one form (RFC 5952), which conntrack writes
 * @param signal ends the watching
 * @throws the signal's reason; CommandError when the watching ends by itself or cannot begin: it needs Debian's
 *   package conntrack
 */
export async function waitForKnock(
	{ addresses, ...watched }: Omit<Watched, "address"> & { addresses: readonly string[] },
	signal: AbortSignal,
): Promise<void> {
	signal.throwIfAborted();
	const over = new AbortController();
	const either = AbortSignal.any([signal, over.signal]);
	const all = addresses.map((address) => waitAt({ ...watched, address }, either));
	try {
		await Promise.race(all);
	} finally {
		over.abort();
		await Promise.allSettled(all);
	}
}

/** As `waitForKnock`, at one address: what watches can be told one, and would tell of every connection in the sandbox without. */
async function waitAt(watched: Watched, signal: AbortSignal): Promise<void> {
	const { namespace, address, ports, own } = watched;
	const [file = "", ...args] = watchCommand(watched);
	const child = spawn(file, args, { stdio: ["ignore", "pipe", "pipe"] });
	const { promise, resolve, reject } = Promise.withResolvers<void>();
	let said = "";
	child.stderr.setEncoding("utf8").on("data", (text: string) => {
		said = (said + text).slice(-mostSaid);
	});
	createInterface(child.stdout).on("line", (line) => {
		if (isKnock(line, address, ports)) resolve();
	});
	const failed = (why: string, code: number | null, cause?: unknown) =>
		reject(new CommandError("conntrack -E", why, code, said, cause));
	child.once("error", (cause) => failed("could not be started", null, cause));
	child.once("close", (code, by) => failed(endedWith(code, by), code));
	const onAbort = () => reject(signal.reason);
	signal.addEventListener("abort", onAbort, { once: true });
	const over = new AbortController();
	const lookOnce = async () => {
		if (child.pid !== undefined) await untilTold(child.pid, over.signal);
		if (over.signal.aborted) return;
		const list = [`--net=${pathOf(namespace)}`, "--", "conntrack", "-L", ...only(address)];
		const { stdout } = await run("nsenter", list, { deadlineMs: listedWithinMs, signal: over.signal });
		if (stdout.split("\n").some((line) => isWaiting(line, address, ports, own))) resolve();
	};
	// Where it cannot be entered, what watches says why.
	const looked = lookOnce().catch((error) => child.exitCode ?? reject(error));
	try {
		await promise;
	} finally {
		over.abort();
		signal.removeEventListener("abort", onAbort);
		await Promise.all([end(child), looked]);
	}
}

/** conntrack's words for what goes to an address. */
function only(address: string): string[] {
	return ["-f", isIPv4(address) ? "ipv4" : "ipv6", "-d", address];
}

/** The kernel ends it together with its parent: nobody else knows of it. */
function watchCommand({ namespace, address }: Watched): string[] {
	return [
		...["setpriv", "--pdeathsig", "KILL", "--"],
		...["nsenter", `--net=/run/netns/${namespace}`, "--"],
		...["conntrack", "-E", "-e", "NEW", ...only(address)],
	];
}

/** Waits until the kernel tells a process of new connections, as far as that can be seen, or it is over. Does not throw. */
async function untilTold(pid: number, over: AbortSignal): Promise<void> {
	const end = performance.now() + listensWithinMs;
	while (!over.aborted && performance.now() < end) {
		const own = await socketsOf(pid);
		const sockets = await readIfThere(`/proc/${pid}/net/netlink`).catch(() => undefined);
		if (isTold(sockets ?? "", own)) return;
		await delay(lookEveryMs, undefined, { signal: over }).catch(() => {});
	}
}

/** @returns the inodes of the sockets that a process has open; none when it is gone */
async function socketsOf(pid: number): Promise<string[]> {
	const folder = `/proc/${pid}/fd`;
	const files = await readdir(folder).catch(() => []);
	const targets = await Promise.all(
		files.map(async (file) => await readlink(join(folder, file)).catch(() => "")),
	);
	return targets.flatMap((target) => /^socket:\[(\d+)\]$/.exec(target)?.[1] ?? []);
}

/**
 * Whether somebody is told of new connections by one of his sockets: NETLINK_NETFILTER (linux/netlink.h), with
 * NFNLGRP_CONNTRACK_NEW (linux/netfilter/nfnetlink_compat.h) among its groups. Pure.
 * @param sockets the kernel's list: `sk Eth Pid Groups … Inode`, the groups in hexadecimal
 * @param own inodes of his sockets
 */
export function isTold(sockets: string, own: readonly string[]): boolean {
	return sockets.split("\n").some((line) => {
		const [, family, , groups = "", ...others] = line.trim().split(/\s+/);
		return family === "12" && (Number.parseInt(groups, 16) & 1) === 1 && own.includes(others.at(-1) ?? "");
	});
}

function endedWith(code: number | null, by: string | null): string {
	if (code === 127) return "is not there; install Debian's package conntrack";
	return `ended with ${by ?? `code ${code}`} while a sleeping server's connections were watched`;
}

async function end(child: ReturnType<typeof spawn>): Promise<void> {
	// One that could not be started has no pid, and one that has ended no exit to wait for.
	if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
	const exit = once(child, "exit");
	child.kill("SIGKILL");
	await exit;
}

/**
 * Reads a line of `conntrack -E`: `[NEW] tcp 6 120 SYN_SENT src=10.77.0.1 dst=10.77.0.20 sport=43242 dport=80 …`,
 * followed by the same for the answers' direction.
 */
export function isKnock(line: string, address: string, ports: readonly PortRange[]): boolean {
	const [, connection = ""] = /^\s*\[NEW\] (.*)/.exec(line) ?? [];
	return reaches(connection, address, ports) !== undefined;
}

/**
 * Reads a line of `conntrack -L`: `tcp 6 118 SYN_SENT src=192.0.2.7 dst=10.77.0.20 sport=43242 dport=80 [UNREPLIED] …`.
 * @returns whether somebody waits for the server, other than the sandbox itself
 */
export function isWaiting(
	line: string,
	address: string,
	ports: readonly PortRange[],
	own: readonly string[],
): boolean {
	const from = reaches(line, address, ports);
	return from !== undefined && !own.includes(from) && line.includes(" [UNREPLIED] ");
}

/** @returns where a connection comes from that goes to one of the ports */
function reaches(line: string, address: string, ports: readonly PortRange[]): string | undefined {
	const [, protocol, from, to, text] =
		/^(tcp|udp) .*? src=(\S+) dst=(\S+) sport=\d+ dport=(\d+) /.exec(line) ?? [];
	const port = Number(text);
	const isIn = ({ first, last }: PortRange) => port >= first && port <= last;
	if (to !== address || !ports.some((range) => range.protocol === protocol && isIn(range))) return undefined;
	return from;
}
