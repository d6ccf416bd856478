import { setTimeout as delay } from "node:timers/promises";
import { Lab, runBench } from "../lab.ts";
import { median } from "../median.ts";
import { hostNow } from "../open-loop/clock.ts";
import { Load } from "../open-loop/load.ts";
import { latestTaken } from "../open-loop/outcome.ts";
import { writeResult } from "../result.ts";
import { BulkheadWay, benchSite, type Mode, tinyServer } from "./bulkhead.ts";
import { panicAndRecover } from "./drill.ts";
import { machineFacts } from "./facts.ts";
import { judge, type Panic, panicFigures, summaryOf, type Verdict } from "./judge.ts";
import { mixFor } from "./mix.ts";
import { Notes } from "./notes.ts";
import { inWords } from "./plot.ts";
import { printVerdicts, verdictsForFile } from "./verdicts.ts";

/**
 * A hundred real panics under load: 150 requests a second over 50 connections that are kept alive, bodies of 1 KB to
 * 1 MB, a tenth of them POSTs. First the same load without a panic. Ends with 1 when a promise is broken.
 * MODE=warm or cold, PANICS=100, QUIET=60 (seconds), RATE=150, CONNECTIONS=50.
 */

const mode: Mode = process.env.MODE === "cold" ? "cold" : "warm";
const panics = Number(process.env.PANICS ?? "100");
const quietSeconds = Number(process.env.QUIET ?? "60");
const rate = Number(process.env.RATE ?? "150");
const connections = Number(process.env.CONNECTIONS ?? "50");
/** Cold recovery costs a boot, and promises no more than that nothing fails. */
const limits = mode === "warm" ? { worstPauseMs: 400, medianPauseMs: 150 } : undefined;
const port = 18096;

const lab = new Lab("/var/lib/bulkhead-bench-storm");
const server = new BulkheadWay(lab, mode, port);
const notes = new Notes(lab.state, mode);

async function startLoad(): Promise<{ load: Load; mix: "mixed" | "plain" }> {
	const { name, kinds } = await mixFor(`http://127.0.0.1:${port}`);
	if (name === "plain") console.log("The template has no pages for the mixed load: small requests only.");
	const target = { host: "127.0.0.1", port };
	const pace = { rate, connections, seed: 1, deadlineMs: 120_000 };
	const load = await Load.start({ ...target, ...pace, kinds, name: "storm", keepText: 100 });
	return { load, mix: name };
}

async function quiet(load: Load, signal: AbortSignal): Promise<void> {
	for (let second = 1; second <= quietSeconds; second++) {
		await delay(1000, undefined, { signal });
		load.check();
		process.stdout.write(`\r  quiet: ${second} of ${quietSeconds} s, ${load.records.length} requests  `);
	}
	process.stdout.write("\n");
}

async function storm(load: Load, signal: AbortSignal): Promise<Panic[]> {
	const made: Panic[] = [];
	for (let i = 1; i <= panics; i++) {
		await delay(1000 + Math.random() * 2000, undefined, { signal });
		load.check();
		const panic = await panicAndRecover(lab, mode, signal);
		await notes.read(panic.session);
		made.push(panic);
		const { pauseMs, postsInFlight, cut } = panicFigures(load.records, panic);
		const posts = `POSTs in flight ${postsInFlight.answered + postsInFlight.with502 + postsInFlight.otherwise}`;
		console.log(
			`  ${`${i}/${panics}`.padStart(7)}  ready after ${inWords(panic.outageMs).padStart(7)}  pause ${inWords(pauseMs).padStart(7)}  ${posts}, 502: ${postsInFlight.with502}  responses cut ${cut}`,
		);
	}
	await delay(3000, undefined, { signal });
	return made;
}

async function main(signal: AbortSignal): Promise<boolean> {
	const { accelerator } = await lab.client.call("status", {}, null);
	const machine = await machineFacts(accelerator);
	console.log(`Making the server, ${mode} recovery (the template is built the first time)`);
	await lab.apply(benchSite({ [mode]: tinyServer(mode, "10.78.0.10", port) }));
	await server.begin(signal);
	const { load: started, mix } = await startLoad();
	await using load = started;
	console.log(`${rate} requests a second over ${connections} connections`);
	await quiet(load, signal);
	const stormAt = hostNow();
	const made = await storm(load, signal);
	const records = await load.stop();
	const last = await lab.client.call("show", { server: mode }, null);
	for (const { session } of made) await notes.read(session);
	if (last.session) await notes.read(last.session.number);
	const ran = mix === "mixed" ? notes.ran() : undefined;
	const each = made.map((panic) => panicFigures(records, panic));
	const verdicts = judge(records, each, ran, limits);
	const before = records.filter(({ end }) => end < stormAt);
	const pauses = each.map(({ pauseMs }) => pauseMs);
	const answeredPosts = records.filter(({ method, status }) => method === "POST" && status === 200);
	const result = {
		mode,
		mix,
		rate,
		connections,
		quietSeconds,
		panics: each.length,
		pauseMs: { median: median(pauses), worst: Math.max(...pauses) },
		untilEndMs: { worst: Math.max(...each.map(({ untilEndMs }) => untilEndMs)) },
		quiet: summaryOf(before),
		storm: summaryOf(records.filter(({ end }) => end >= stormAt)),
		posts: {
			inFlight: each.reduce(
				(sum, { postsInFlight: { answered, with502, otherwise } }) => sum + answered + with502 + otherwise,
				0,
			),
			with502: each.reduce((sum, { postsInFlight }) => sum + postsInFlight.with502, 0),
			answered: answeredPosts.length,
			/** Answered, and yet not on a console: its last bytes are lost with the guest that panics. */
			unnoted: ran ? answeredPosts.filter(({ id }) => !ran.has(id)).length : null,
		},
		/** The most that the load generator was late by itself. */
		generatorLateMs: latestTaken(records),
		machine,
	};
	return await report(result, verdicts, each);
}

type Result = Pick<ReturnType<typeof summaryOf>, "untilFirstByteMs"> & { outcomes: Record<string, number> };

async function report(
	result: {
		pauseMs: { median: number; worst: number };
		quiet: Result;
		storm: Result;
		generatorLateMs: number;
	},
	verdicts: readonly Verdict[],
	each: readonly object[],
): Promise<boolean> {
	const line = (name: string, { untilFirstByteMs: { p50, p99, worst }, outcomes }: Result) =>
		console.log(
			`  ${name.padEnd(6)} ${inWords(p50)} (median), ${inWords(p99)} (99 %), ${inWords(worst)} (worst); ${Object.entries(
				outcomes,
			)
				.map(([name, count]) => `${name} ${count}`)
				.join(", ")}`,
		);
	console.log("\nUntil an answer began, from when its request was due:");
	line("quiet", result.quiet);
	line("storm", result.storm);
	console.log(
		`  pause of a panic: ${inWords(result.pauseMs.median)} (median), ${inWords(result.pauseMs.worst)} (worst)`,
	);
	console.log(`  the load generator itself was late by ${inWords(result.generatorLateMs)} at most\n`);
	const ok = printVerdicts(verdicts);
	const promises = verdictsForFile(verdicts);
	console.log(`\nfigures in ${await writeResult("storm", { ok, ...result, promises, each })}`);
	return ok;
}

await runBench("storm", lab, main);
