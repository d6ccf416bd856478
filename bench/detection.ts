import { setTimeout as delay } from "node:timers/promises";
import type { Event } from "../src/api/event.ts";
import type { Fault } from "../src/api/server.ts";
import { formatDuration } from "../src/api/units.ts";
import { writtenUp } from "./demo/drills.ts";
import { Lab, runBench } from "./lab.ts";
import { median } from "./median.ts";
import { writeResult } from "./result.ts";

/**
 * How long it takes from a failure to the first event of its incident, as a client of the daemon hears it.
 * The fault's moment is taken right before it is made; both times are of the same host's clock.
 */

const rounds: { fault: Fault; times: number; limitMs: number; judged: "median" | "worst" }[] = [
	{ fault: "panic", times: 20, limitMs: 50, judged: "median" },
	{ fault: "kill", times: 10, limitMs: 100, judged: "median" },
	{ fault: "hang", times: 5, limitMs: 5000, judged: "worst" },
	{ fault: "freeze", times: 5, limitMs: 5000, judged: "worst" },
];

interface Measured {
	/** The daemon's own time of the incident's first sign. */
	signMs: number;
	/** When the event had arrived at a client of the event stream. */
	heardMs: number;
}

const lab = new Lab("/var/lib/bulkhead-bench");
const site = {
	name: "bench",
	segments: { bench: { subnet: "10.78.0.0/24" } },
	servers: {
		guest: {
			template: "tiny",
			network: { segment: "bench", address: "10.78.0.10" },
			publish: [{ service: "http", to: "host" as const, listen: 18090 }],
		},
	},
};

/** Hears the event stream and keeps when each incident was first told of. */
async function listen(heard: Map<number, number>, signal: AbortSignal): Promise<void> {
	for await (const event of lab.client.events(0, signal) as AsyncIterable<Event>) {
		// "Incident guest-7: …" opens it; "… is over" carries the next session's number.
		const session = Number(/^Incident guest-(\d+): /.exec(event.text)?.[1]);
		if (event.kind === "incident" && session > 0 && !heard.has(session)) heard.set(session, Date.now());
	}
}

async function measure(fault: Fault, heard: Map<number, number>, signal: AbortSignal): Promise<Measured> {
	await lab.until("guest", ({ state }) => state === "running", 120_000, signal);
	await delay(1000, undefined, { signal: signal });
	const { session, at } = await lab.client.call("drill", { server: "guest" }, { fault });
	const incident = await writtenUp(lab, "guest", session, signal);
	const heardAt = heard.get(session);
	if (heardAt === undefined || heardAt < at)
		throw new Error(`incident ${incident.id} was not heard of, or before its fault`);
	return { signMs: Math.round(incident.noticedAt - at), heardMs: Math.round(heardAt - at) };
}

async function main(signal: AbortSignal): Promise<boolean> {
	await lab.apply(site);
	const heard = new Map<number, number>();
	listen(heard, signal).catch(() => {});
	const results = [];
	for (const { fault, times, limitMs, judged } of rounds) {
		const measured: Measured[] = [];
		for (let i = 0; i < times; i++) {
			measured.push(await measure(fault, heard, signal));
			process.stdout.write(`\r${fault} ${i + 1}/${times}  `);
		}
		const heardMs = measured.map(({ heardMs }) => heardMs);
		const figures = {
			median: median(heardMs),
			worst: Math.max(...heardMs),
			all: heardMs,
			signMs: measured.map(({ signMs }) => signMs),
		};
		const ok = figures[judged] < limitMs;
		console.log(
			`\r${fault.padEnd(8)} median ${formatDuration(figures.median)}, worst ${formatDuration(figures.worst)} of ${times}; ${judged} under ${formatDuration(limitMs)}: ${ok ? "yes" : "NO"}`,
		);
		results.push({ fault, times, judged, limitMs, ok, ...figures });
	}
	const ok = results.every((result) => result.ok);
	console.log(
		`figures in ${await writeResult("detection", { ok, unit: "ms from the fault to the incident's first event at a client", results })}`,
	);
	return ok;
}

// The event stream is listened to until the end.
const done = new AbortController();
await runBench("detection", lab, async (signal) => {
	try {
		return await main(AbortSignal.any([signal, done.signal]));
	} finally {
		done.abort(new Error("done"));
	}
});
