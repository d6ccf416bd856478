import { cpus, loadavg } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { burn } from "./burn.ts";
import { Lab, runBench } from "./lab.ts";
import { loadHost } from "./load.ts";
import { median } from "./median.ts";
import { writeResult } from "./result.ts";
import { SteadyClient } from "./steady-client.ts";

/**
 * No false alarms: a guest that is busy (its processor never idle, requests all the time) on a host that is busy too.
 * Whatever is noticed as a failure here is a false alarm. MINUTES=60 by default; LOAD=2 processes load the host.
 */

const minutes = Number(process.env.MINUTES ?? "60");
const lab = new Lab("/var/lib/bulkhead-quiet");
const site = {
	name: "quiet",
	segments: { quiet: { subnet: "10.79.0.0/24" } },
	servers: {
		busy: {
			template: "tiny",
			network: { segment: "quiet", address: "10.79.0.10" },
			publish: [{ service: "http", to: "host" as const, listen: 18091 }],
		},
	},
};

async function main(signal: AbortSignal): Promise<boolean> {
	await lab.apply(site);
	const before = await lab.until("busy", ({ state }) => state === "running", 120_000, signal);
	await burn(18091, "cpu");
	using _load = loadHost(Number(process.env.LOAD ?? "2"));
	const loads: number[] = [];
	await using client = new SteadyClient("http://127.0.0.1:18091/", 200);
	const begin = Date.now();
	while (Date.now() - begin < minutes * 60_000) {
		await delay(10_000, undefined, { signal: signal });
		loads.push(loadavg()[0] ?? 0);
		const { state, incidents } = await lab.client.call("show", { server: "busy" }, null);
		process.stdout.write(
			`\r${Math.round((Date.now() - begin) / 60_000)} of ${minutes} min: ${state}, ${incidents} incidents, ${client.samples.length} requests  `,
		);
		if (incidents > 0) break;
	}
	await client.stop();
	const after = await lab.client.call("show", { server: "busy" }, null);
	const times = client.samples.map(({ ms }) => ms);
	const signals = (await lab.client.call("events", {}, null)).filter(
		({ kind }) => kind === "signal" || kind === "incident",
	);
	const ok = after.incidents === 0 && after.session?.pid === before.session?.pid;
	const requests = {
		sent: times.length,
		failed: client.samples.filter(({ ok }) => !ok).length,
		medianMs: median(times),
		worstMs: Math.max(...times),
	};
	const result = {
		ok,
		minutes: (Date.now() - begin) / 60_000,
		falseAlarms: after.incidents,
		hostLoad: { processors: cpus().length, median: median(loads), worst: Math.max(...loads) },
		requests,
		signals,
	};
	console.log(
		`\n${after.incidents} false alarms in ${minutes} minutes; figures in ${await writeResult("quiet", result)}`,
	);
	return ok;
}

await runBench("quiet", lab, main);
