import { fileURLToPath } from "node:url";
import { run } from "../../src/host/command.ts";

/** Where a client asks from, and what it calls the ports that a guest serves. */
export interface Way {
	/** Words before a command that make it run there; none: on the host. */
	enter: readonly string[];
	address: string;
	portOf: (port: number) => number;
}

const asker = fileURLToPath(new URL("asker.ts", import.meta.url));

async function inWay({ enter }: Way, command: readonly string[], deadlineMs: number): Promise<string> {
	const [file = "", ...args] = [...enter, ...command];
	return (await run(file, args, { deadlineMs })).stdout;
}

/** What iperf3 writes with -J, as far as it is read. */
interface Report {
	end?: { sum_received?: { bits_per_second: number } };
	error?: string;
}

/**
 * @param port of the guest, where iperf3 serves
 * @throws Error with what iperf3 says, CommandError
 * @returns bits a second that arrived
 */
export async function transfer(way: Way, port: number, seconds: number, reverse: boolean): Promise<number> {
	const options = ["-p", `${way.portOf(port)}`, "-t", `${seconds}`, "-J", ...(reverse ? ["-R"] : [])];
	const text = await inWay(way, ["iperf3", "-c", way.address, ...options], (seconds + 20) * 1000);
	const { end, error } = JSON.parse(text) as Report;
	// It ends with 0 then too.
	if (end?.sum_received === undefined)
		throw new Error(`iperf3 at ${way.address}: ${error ?? "no figure in its report"}`);
	return end.sum_received.bits_per_second;
}

/**
 * Asks for a page again and again over one connection.
 * @returns milliseconds of each request
 */
export async function ask(way: Way, port: number, path: string, times: number): Promise<number[]> {
	const words = [asker, way.address, `${way.portOf(port)}`, path, `${times}`];
	return JSON.parse(await inWay(way, [process.execPath, ...words], 60_000)) as number[];
}
