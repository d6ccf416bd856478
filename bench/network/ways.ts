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

/**
 * @param port of the guest, where iperf3 serves
 * @returns bits a second that arrived
 */
export async function transfer(way: Way, port: number, seconds: number, reverse: boolean): Promise<number> {
	const options = ["-p", `${way.portOf(port)}`, "-t", `${seconds}`, "-J", ...(reverse ? ["-R"] : [])];
	const text = await inWay(way, ["iperf3", "-c", way.address, ...options], (seconds + 20) * 1000);
	const { end } = JSON.parse(text) as { end: { sum_received: { bits_per_second: number } } };
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
