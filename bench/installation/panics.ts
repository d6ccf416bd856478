import type { Lab } from "../lab.ts";
import { Load } from "../open-loop/load.ts";
import { isOk, waited } from "../open-loop/outcome.ts";
import { isPrepared } from "../recovery/bulkhead.ts";
import { drill } from "../recovery/drill.ts";
import { host } from "./places.ts";

const rate = 5;
const preparedWithinMs = 900_000;

/** What became of one panic, and what those felt who asked for the page, five times a second. */
export interface Panicked {
	outageMs: number;
	noticedMs: number;
	/** The longest that anybody waited who was there. */
	longestPauseMs: number;
	/** GETs that touched the outage. */
	requests: number;
	failed: number;
}

/** Makes a server panic a few times, each once it is prepared for the next. */
export async function panics(
	{ lab, server, port, count }: { lab: Lab; server: string; port: number; count: number },
	signal: AbortSignal,
): Promise<Panicked[]> {
	const felt: Panicked[] = [];
	for (let i = 0; i < count; i++) {
		await lab.until(server, isPrepared, preparedWithinMs, signal);
		await using load = await Load.start(
			{
				...{
					host: "127.0.0.1",
					port,
					rate,
					connections: "each",
					seed: 1,
					name: `${server}${i}`,
					keepText: 200,
				},
				kinds: [
					{ weight: 1, method: "GET", path: "/", answer: { matches: "Installed by its own installer" } },
				],
				deadlineMs: 600_000,
			},
			host,
		);
		await load.next("the first answer", isOk, 60_000, signal);
		const { at, noticedMs, outageMs } = await drill(lab, server, "panic", signal);
		await load.untilDrained(1, 120_000, signal);
		const touched = (await load.stop()).filter(({ due, end }) => due <= at + outageMs && end >= at);
		felt.push({
			...{ outageMs: Math.round(outageMs), noticedMs: Math.round(noticedMs), requests: touched.length },
			longestPauseMs: Math.round(Math.max(0, ...touched.map(waited))),
			failed: touched.filter((record) => !isOk(record)).length,
		});
		console.log(`  panic ${i + 1}: ${JSON.stringify(felt.at(-1))}`);
	}
	return felt;
}
