import { setTimeout as delay } from "node:timers/promises";
import type { ServerDefinition } from "../../src/api/site.ts";
import { Lab, runBench } from "../lab.ts";
import { median } from "../median.ts";
import { Load } from "../open-loop/load.ts";
import { latestTaken, outcomesThatHappened } from "../open-loop/outcome.ts";
import type { RequestRecord } from "../open-loop/request.ts";
import { writeResult } from "../result.ts";
import { benchSite, isPrepared } from "./bulkhead.ts";
import { panicAndRecover } from "./drill.ts";
import { machineFacts } from "./facts.ts";
import { LedgerClient, type Posting, readLedger } from "./ledger-client.ts";
import { feltOf, judgeLedger, type LedgerPanic } from "./ledger-judge.ts";
import { inWords } from "./plot.ts";
import { printVerdicts, verdictsForFile } from "./verdicts.ts";

/**
 * A hundred real panics at random moments while clients add entries to the ledger (PostgreSQL on a data disk, recovered
 * warm) and others read it. Ends with 1 when a promise is broken.
 * PANICS=100, CLIENTS=4 that add entries, RATE=5 GETs a second.
 */

const panics = Number(process.env.PANICS ?? "100");
const clients = Number(process.env.CLIENTS ?? "4");
const rate = Number(process.env.RATE ?? "5");
/** The promise. */
const medianOutageMs = 4000;
const target = { host: "127.0.0.1", port: 18099 };
const name = "ledger";
/** A boot, the seal's boot with its rehearsal, and the first standby, all without hardware virtualization. */
const preparedWithinMs = 300_000;
/** Between an answer and the next entry of the same client. */
const everyMs = 500;

const lab = new Lab("/var/lib/bulkhead-bench-ledger");

const server: ServerDefinition = {
	template: "debian-ledger",
	data: [{ name: "ledger", size: "1GiB" }],
	network: { segment: "bench", address: "10.78.0.40" },
	publish: [{ service: "http", to: "host", listen: target.port }],
	recovery: { mode: "warm", standby: 1, budget: { attempts: 100, within: "1h" } },
};

/** Others read: the page, and one entry that is there from the beginning. */
function readers(first: string): Promise<Load> {
	return Load.start({
		...target,
		rate,
		connections: 8,
		kinds: [
			{ weight: 1, method: "GET", path: "/", answer: { matches: "</html>\\n$" } },
			{ weight: 4, method: "GET", path: `/entries/${first}`, answer: { matches: `"key": "${first}"` } },
		],
		seed: 1,
		name: "ledger",
		deadlineMs: 60_000,
		keepText: 100,
	});
}

/** The first entry, so that there is something to read. */
async function firstPosting(): Promise<Posting> {
	await using client = new LedgerClient("first", target, everyMs);
	const [posting] = await client.stop();
	if (!posting?.acknowledged) throw new Error(`the ledger takes no entry: ${posting?.answers.join(", ")}`);
	return posting;
}

async function onePanic(
	i: number,
	gets: readonly RequestRecord[],
	writers: readonly LedgerClient[],
	signal: AbortSignal,
): Promise<LedgerPanic> {
	await delay(1000 + Math.random() * 4000, undefined, { signal });
	for (const writer of writers) writer.check();
	const panic = await panicAndRecover(lab, name, signal);
	const felt = feltOf(
		gets,
		writers.flatMap(({ postings }) => postings),
		panic,
	);
	const { outageMs, getMs, entryMs, askedAgain } = felt;
	const words = [
		`ready after ${inWords(outageMs).padStart(7)}`,
		`longest GET ${inWords(getMs).padStart(7)}`,
		`longest entry ${inWords(entryMs).padStart(7)}`,
		`asked again ${askedAgain}`,
	];
	console.log(`  ${`${i}/${panics}`.padStart(7)}  ${words.join("  ")}`);
	return felt;
}

/** Makes the panics under load. */
async function storm(first: Posting, signal: AbortSignal) {
	await using load = await readers(first.key);
	await using writers = new AsyncDisposableStack();
	const all = Array.from({ length: clients }, (_, i) =>
		writers.use(new LedgerClient(`client${i + 1}`, target, everyMs)),
	);
	const made: LedgerPanic[] = [];
	for (let i = 1; i <= panics; i++) {
		load.check();
		made.push(await onePanic(i, load.records, all, signal));
	}
	await delay(2000, undefined, { signal });
	const postings = (await Promise.all(all.map((writer) => writer.stop()))).flat();
	const gets = await load.stop();
	// Those that were under way when a line was printed are over now.
	return { gets, postings: [first, ...postings], each: made.map((panic) => feltOf(gets, postings, panic)) };
}

function spread(values: readonly number[]) {
	return { median: median(values), worst: Math.max(...values) };
}

async function main(signal: AbortSignal): Promise<boolean> {
	const { accelerator } = await lab.client.call("status", {}, null);
	const machine = await machineFacts(accelerator);
	console.log("Making the server (the template is built the first time)");
	await lab.apply(benchSite({ [name]: server }));
	await lab.until(name, isPrepared, preparedWithinMs, signal);
	console.log(`${clients} clients add entries, ${rate} GETs a second`);
	const { gets, postings, each } = await storm(await firstPosting(), signal);
	const entries = await readLedger(target);
	const verdicts = judgeLedger(entries, postings, gets, each, medianOutageMs);
	const result = {
		panics: each.length,
		clients,
		rate,
		outageMs: spread(each.map(({ outageMs }) => outageMs)),
		feltMs: spread(each.map(({ feltMs }) => feltMs)),
		getMs: spread(each.map(({ getMs }) => getMs)),
		entryMs: spread(each.map(({ entryMs }) => entryMs)),
		entries: {
			posted: postings.length,
			acknowledged: postings.filter(({ acknowledged }) => acknowledged !== null).length,
			askedAgain: postings.filter(({ answers }) => answers.length > 1).length,
			/** Added by a request whose client never heard of it, and found by the next with the same key. */
			foundAgain: postings.filter(({ answers }) => answers.length > 1 && answers.at(-1) === "200").length,
			there: entries.length,
		},
		gets: outcomesThatHappened(gets),
		/** The most that the load generator was late by itself. */
		generatorLateMs: latestTaken(gets),
		machine,
	};
	console.log(`\n  ${postings.length} entries posted, ${entries.length} there; ${gets.length} GETs`);
	for (const [what, { median, worst }] of [
		["outage (until the server was ready)", result.outageMs],
		["longest wait for a GET", result.getMs],
		["longest wait for an entry", result.entryMs],
	] as const)
		console.log(`  ${what.padEnd(36)} ${inWords(median)} (median), ${inWords(worst)} (worst)`);
	console.log();
	const ok = printVerdicts(verdicts);
	const told = { ok, ...result, promises: verdictsForFile(verdicts), each };
	console.log(`\nfigures in ${await writeResult("ledger", told)}`);
	return ok;
}

await runBench("ledger", lab, main);
