import { setTimeout as delay } from "node:timers/promises";
import { Lab, runBench } from "./lab.ts";
import { median } from "./median.ts";
import { writeResult } from "./result.ts";
import { SteadyClient } from "./steady-client.ts";

/**
 * A guest that burns processors, memory, disk and forks without end, beside a second server: how quickly the host, the
 * daemon and the second server answer, before and meanwhile.
 */

const secondsEach = Number(process.env.SECONDS ?? "20");
const kinds = ["cpu", "disk", "forks", "memory"] as const;
const lab = new Lab("/var/lib/bulkhead-bench");
const server = (address: string, listen: number) => ({
	template: "tiny",
	network: { segment: "bench", address },
	// The wild guest falls silent and is recovered; here it shall stay wild.
	recovery: { silence: "1h" },
	publish: [{ service: "http", to: "host" as const, listen }],
});
const site = {
	name: "bench",
	segments: { bench: { subnet: "10.78.0.0/24" } },
	servers: { wild: server("10.78.0.10", 18093), calm: server("10.78.0.11", 18094) },
};

interface Figures {
	/** Milliseconds. */
	host: { median: number; worst: number };
	daemon: { median: number; worst: number };
	calm: { sent: number; failed: number; median: number; worst: number };
}

const figuresOf = (times: readonly number[]) => ({
	median: Math.round(median(times)),
	worst: Math.round(Math.max(...times)),
});

/** How long a short sleep takes beyond its time, what `list` takes, and what the second server's users wait. */
async function observe(seconds: number, signal: AbortSignal): Promise<Figures> {
	signal.throwIfAborted();
	await using client = new SteadyClient("http://127.0.0.1:18094/", 100);
	const host: number[] = [];
	const daemon: number[] = [];
	const end = performance.now() + seconds * 1000;
	while (performance.now() < end) {
		const slept = performance.now();
		await delay(50, undefined, { signal });
		host.push(performance.now() - slept - 50);
		const asked = performance.now();
		await lab.client.call("list", {}, null);
		daemon.push(performance.now() - asked);
	}
	await client.stop();
	const times = client.samples.map(({ ms }) => ms);
	const failed = client.samples.filter(({ ok }) => !ok).length;
	return {
		host: figuresOf(host),
		daemon: figuresOf(daemon),
		calm: { sent: times.length, failed, ...figuresOf(times) },
	};
}

async function main(signal: AbortSignal): Promise<boolean> {
	await lab.apply(site);
	await lab.allRun(120_000, signal);
	const quiet = await observe(secondsEach, signal);
	const wild: Record<string, Figures> = {};
	for (const kind of kinds) {
		await fetch(`http://127.0.0.1:18093/cgi-bin/burn?what=${kind}`, {
			signal: AbortSignal.timeout(10_000),
		}).catch(() => {});
		wild[kind] = await observe(secondsEach, signal);
		show(kind, wild[kind]);
	}
	show("quiet", quiet);
	const all = Object.values(wild);
	const incidents = (await lab.client.call("incidents", {}, null)).filter(
		({ server }) => server === "calm",
	).length;
	const ok =
		incidents === 0 &&
		all.every(
			({ calm, daemon, host }) =>
				calm.failed === 0 && calm.worst < 5000 && daemon.worst < 2000 && host.worst < 1000,
		);
	const unit =
		"ms; host: how late a sleep of 50 ms ends, daemon: `list`, calm: requests to the second server; each kind comes on top of those before";
	console.log(
		`figures in ${await writeResult("wild", { ok, unit, secondsEach, quiet, wild, incidentsOfCalm: incidents })}`,
	);
	return ok;
}

function show(kind: string, { host, daemon, calm }: Figures): void {
	const pair = ({ median, worst }: { median: number; worst: number }) => `${median}/${worst} ms`;
	console.log(
		`${kind.padEnd(8)} median/worst: host ${pair(host)}, daemon ${pair(daemon)}, second server ${pair(calm)} (${calm.failed} of ${calm.sent} failed)`,
	);
}

await runBench("wild", lab, main);
