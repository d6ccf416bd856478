import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { CommandError } from "../host/command.ts";
import type { PortRange } from "./inbound/plan.ts";

/** The end of a child's standard error that goes into an error message, characters. */
const mostSaid = 2000;

/**
 * Waits until somebody opens a connection to one of a sleeping server's ports: its front door, or a client that reaches its
 * own address. The kernel's connection tracking
 * tells, within a few milliseconds and at no cost while nobody comes. A connection that was opened before this
 * listened is not seen; but the front door gives an attempt up after 100 ms without an answer, and the next is seen.
 * Health checks are connections too: pause them before.
 * @param namespace the site's network namespace
 * @param ports of the server
 * @param signal ends the watching
 * @throws the signal's reason; CommandError when the watching ends by itself or cannot begin: it needs Debian's
 *   package conntrack
 */
export async function waitForKnock(
	namespace: string,
	address: string,
	ports: readonly PortRange[],
	signal: AbortSignal,
): Promise<void> {
	signal.throwIfAborted();
	const [file = "", ...args] = watchCommand(namespace, address);
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
	try {
		await promise;
	} finally {
		signal.removeEventListener("abort", onAbort);
		await end(child);
	}
}

/** The kernel ends it together with its parent: nobody else knows of it. */
function watchCommand(namespace: string, address: string): string[] {
	return [
		...["setpriv", "--pdeathsig", "KILL", "--"],
		...["nsenter", `--net=/run/netns/${namespace}`, "--"],
		...["conntrack", "-E", "-e", "NEW", "-d", address],
	];
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
	const [, protocol, to, text] =
		/^\s*\[NEW\] (tcp|udp) .*? dst=(\S+) sport=\d+ dport=(\d+) /.exec(line) ?? [];
	const port = Number(text);
	const isIn = ({ first, last }: PortRange) => port >= first && port <= last;
	return to === address && ports.some((range) => range.protocol === protocol && isIn(range));
}
