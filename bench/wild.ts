import { setTimeout as delay } from "node:timers/promises";
import { burn } from "./burn.ts";
import { Lab, runBench } from "./lab.ts";
import { median } from "./median.ts";
import { printVerdicts, verdictsForFile } from "./recovery/verdicts.ts";
import { writeResult } from "./result.ts";
import { SteadyClient } from "./steady-client.ts";
import { type Beside, type Figures, verdictsOf } from "./wild-judge.ts";

/**
 * A guest that burns processors, memory, disk and forks without end, beside a second server: how quickly the host, the
 * daemon and the second server answer, before and meanwhile.
 */

const secondsEach = Number(process.env.SECONDS ?? "20");
/** Each in a session of its own: neither forks nor memory leaves a guest that could be told to burn something else. */
const rounds = [["cpu", "disk", "forks"], ["memory"]] as const;
const bootsWithinMs = 120_000;
const ports = { wild: 18093, calm: 18094 } as const;
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
	servers: { wild: server("10.78.0.10", ports.wild), calm: server("10.78.0.11", ports.calm) },
};

const figuresOf = (times: readonly number[]) => ({
	median: Math.round(median(times)),
	worst: Math.round(Math.max(...times)),
});

/** How long a short sleep takes beyond its time, what `list` takes, and what the second server's users wait. */
async function observe(seconds: number, signal: AbortSignal): Promise<Figures> {
	signal.throwIfAborted();
	await using client = new SteadyClient(`http://127.0.0.1:${ports.calm}/`, 100);
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

/** The wild server in a session in which nothing burns. */
async function broughtToSenses(signal: AbortSignal): Promise<void> {
	const { state, session } = await lab.client.call("show", { server: "wild" }, null);
	if (state === "running") await lab.client.call("restart", { server: "wild" }, { deadlineMs: 0 });
	const least = (session?.number ?? 0) + (state === "running" ? 1 : 0);
	await lab.until(
		"wild",
		(view) => view.state === "running" && (view.session?.number ?? 0) >= least,
		bootsWithinMs,
		signal,
	);
}

/** @throws Error when it does not burn at all */
async function besideBurning(kind: string, signal: AbortSignal): Promise<Beside> {
	await burn(ports.wild, kind);
	const from = Date.now();
	const figures = await observe(secondsEach, signal);
	const to = Date.now();
	const incidents = (await incidentsOf("wild"))
		.filter(({ noticedAt }) => noticedAt >= from && noticedAt <= to)
		.map(({ id, cause, noticedAt }) => ({ id, cause, afterMs: Math.round(noticedAt - from) }))
		.sort((a, b) => a.afterMs - b.afterMs);
	return { ...figures, burntMs: incidents[0]?.afterMs ?? to - from, incidents };
}

const incidentsOf = async (server: "wild" | "calm") =>
	(await lab.client.call("incidents", {}, null)).filter((one) => one.server === server);

async function main(signal: AbortSignal): Promise<boolean> {
	await lab.apply(site);
	await lab.allRun(bootsWithinMs, signal);
	const quiet = await observe(secondsEach, signal);
	show("quiet", quiet);
	const wild: Record<string, Beside> = {};
	for (const [number, kinds] of rounds.entries()) {
		if (number > 0) await broughtToSenses(signal);
		for (const kind of kinds) {
			wild[kind] = await besideBurning(kind, signal);
			show(kind, wild[kind]);
		}
	}
	const incidentsOfCalm = (await incidentsOf("calm")).length;
	const verdicts = verdictsOf(wild, incidentsOfCalm);
	const ok = printVerdicts(verdicts);
	const unit =
		"ms; host: how late a sleep of 50 ms ends, daemon: `list`, calm: requests to the second server; burntMs: until the wild guest's first incident, or all of the time; forks come on top of disk, and that on top of cpu";
	const promises = verdictsForFile(verdicts);
	console.log(
		`figures in ${await writeResult("wild", { ok, unit, secondsEach, quiet, wild, incidentsOfCalm, promises })}`,
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
