import { setTimeout as delay } from "node:timers/promises";
import type { ServerView } from "../../src/api/server.ts";
import { Lab, runBench } from "../lab.ts";
import { median } from "../median.ts";
import { hostNow } from "../open-loop/clock.ts";
import { Load } from "../open-loop/load.ts";
import { isOk, latestTaken, round } from "../open-loop/outcome.ts";
import type { RequestRecord } from "../open-loop/request.ts";
import { writeResult } from "../result.ts";
import { BulkheadWay, benchSite, isPrepared, tinyServer } from "./bulkhead.ts";
import { machineFacts } from "./facts.ts";
import { listed, summaryOf, type Verdict } from "./judge.ts";
import { mixFor } from "./mix.ts";
import { Notes } from "./notes.ts";
import { inWords } from "./plot.ts";
import { sealChanged, sealSums } from "./stored.ts";
import { printVerdicts, verdictsForFile } from "./verdicts.ts";

/**
 * Planned new sessions under load: nobody's request fails, of whatever kind, and none runs twice. The load is that of
 * storm.ts at a lower rate, as a person would choose a quiet hour. Ends with 1 when that is not so, or when the seal has
 * changed. RENEWS=100, RATE=60 (requests a second), CONNECTIONS=20, QUIET=15 (seconds without a renewal, first).
 */

const renews = Number(process.env.RENEWS ?? "100");
const rate = Number(process.env.RATE ?? "60");
const connections = Number(process.env.CONNECTIONS ?? "20");
const quietSeconds = Number(process.env.QUIET ?? "15");
const port = 18102;
const server = "warm";
/** As `bulkhead renew` has it. */
const drainsWithinMs = 10_000;
/** The first requests of a new session may wait for those that were held back. */
const afterMs = 500;
const preparedWithinMs = 120_000;

const lab = new Lab("/var/lib/bulkhead-bench-renew");
const notes = new Notes(lab.state, server);

/** One renewal. Moments are milliseconds of `hostNow`. */
interface Renewal {
	/** The session that was replaced. */
	session: number;
	began: number;
	/** When the daemon had answered: the next session serves. */
	ended: number;
}

interface Felt extends Renewal {
	tookMs: number;
	/** The longest that an answer took to begin to a request that touched the renewal, from when it was due. */
	waitMs: number;
	/** Requests due before its end, or soon after, and over after its beginning. */
	touched: number;
}

async function startLoad() {
	const { name, kinds } = await mixFor(`http://127.0.0.1:${port}`);
	if (name === "plain") console.log("The template has no pages for the mixed load: small requests only.");
	const target = { host: "127.0.0.1", port };
	const pace = { rate, connections, seed: 1, deadlineMs: 60_000, keepText: 100 };
	return { load: await Load.start({ ...target, ...pace, kinds, name: "renew" }), mix: name };
}

async function oneRenewal(signal: AbortSignal): Promise<Renewal> {
	const { session } = await lab.until(server, isPrepared, preparedWithinMs, signal);
	const before = session?.number ?? 0;
	const began = hostNow();
	const limit = { deadlineMs: drainsWithinMs };
	await lab.client.call("renew", { server }, limit, { signal, deadlineMs: drainsWithinMs + 60_000 });
	const ended = hostNow();
	const next = (view: ServerView) => (view.session?.number ?? 0) > before && isPrepared(view);
	await lab.until(server, next, preparedWithinMs, signal);
	await notes.read(before);
	return { session: before, began, ended };
}

function feltOf(records: readonly RequestRecord[], renewal: Renewal): Felt {
	const { began, ended } = renewal;
	const touched = records.filter(({ due, end }) => due <= ended + afterMs && end >= began);
	const waits = touched.map(({ due, firstByte, end }) => (firstByte ?? end) - due);
	return {
		...renewal,
		tookMs: round(ended - began),
		waitMs: round(Math.max(0, ...waits)),
		touched: touched.length,
	};
}

async function allRenewals(load: Load, signal: AbortSignal): Promise<Renewal[]> {
	const made: Renewal[] = [];
	for (let i = 1; i <= renews; i++) {
		await delay(500 + Math.random() * 1000, undefined, { signal });
		load.check();
		const renewal = await oneRenewal(signal);
		made.push(renewal);
		const { tookMs, waitMs, touched } = feltOf(load.records, renewal);
		const failed = load.records.filter((record) => !isOk(record)).length;
		console.log(
			`  ${`${i}/${renews}`.padStart(7)}  took ${inWords(tookMs).padStart(7)}  longest wait ${inWords(waitMs).padStart(7)} of ${touched} requests  failed so far: ${failed}`,
		);
	}
	await delay(3000, undefined, { signal });
	return made;
}

function judgeRenewals(
	records: readonly RequestRecord[],
	ran: ReadonlyMap<string, readonly number[]> | undefined,
	seal: string | null,
	incidents: number,
): Verdict[] {
	const failed = records.filter((record) => !isOk(record));
	const twice = ran && [...ran].filter(([, sessions]) => sessions.length > 1);
	// No session was lost with its last words here: a POST that was answered is on a console.
	const unnoted =
		ran && records.filter((record) => record.method === "POST" && isOk(record) && !ran.has(record.id));
	return [
		{
			promise: "no request of any kind fails",
			broken: failed.length === 0 ? null : listed(failed),
		},
		{
			promise: "no POST runs twice",
			broken:
				twice &&
				(twice.length === 0 ? null : twice.map(([id, at]) => `${id} in ${at.join(", ")}`).join("; ")),
		},
		{
			promise: "each POST that was answered has run",
			broken: unnoted && (unnoted.length === 0 ? null : listed(unnoted)),
		},
		{ promise: "the files of the seal are what they were (SHA-256)", broken: seal },
		{ promise: "no renewal becomes an incident", broken: incidents === 0 ? null : `${incidents}` },
	];
}

async function main(signal: AbortSignal): Promise<boolean> {
	const { accelerator } = await lab.client.call("status", {}, null);
	const machine = await machineFacts(accelerator);
	console.log("Making the server (the template is built the first time)");
	await lab.apply(benchSite({ [server]: tinyServer("warm", "10.78.0.10", port) }));
	await new BulkheadWay(lab, server, port).begin(signal);
	const sealBefore = await sealSums(lab.state, server);
	const { load: started, mix } = await startLoad();
	await using load = started;
	console.log(
		`${rate} requests a second over ${connections} connections; ${quietSeconds} s without a renewal`,
	);
	await delay(quietSeconds * 1000, undefined, { signal });
	const began = hostNow();
	const made = await allRenewals(load, signal);
	const records = await load.stop();
	const last = await lab.client.call("show", { server }, null);
	if (last.session) await notes.read(last.session.number);
	const sealAfter = await sealSums(lab.state, server);
	const ran = mix === "mixed" ? notes.ran() : undefined;
	const each = made.map((renewal) => feltOf(records, renewal));
	const verdicts = judgeRenewals(records, ran, sealChanged(sealBefore, sealAfter), last.incidents);
	const spread = (values: number[]) => ({ median: median(values), worst: Math.max(...values) });
	const result = {
		mix,
		rate,
		connections,
		renewals: each.length,
		/** The longest that a request waited at a renewal. */
		waitMs: spread(each.map(({ waitMs }) => waitMs)),
		tookMs: spread(each.map(({ tookMs }) => tookMs)),
		incidents: last.incidents,
		quiet: summaryOf(records.filter(({ end }) => end < began)),
		renewing: summaryOf(records.filter(({ end }) => end >= began)),
		posts: records.filter(({ method }) => method === "POST").length,
		generatorLateMs: latestTaken(records),
		seal: { before: sealBefore, after: sealAfter },
		machine,
	};
	const quiet = result.quiet.untilFirstByteMs;
	console.log(`\n  requests: ${records.length}, of them POSTs: ${result.posts}`);
	console.log(
		`  longest wait at a renewal: ${inWords(result.waitMs.median)} (median), ${inWords(result.waitMs.worst)} (worst)`,
	);
	console.log(
		`  without one: ${inWords(quiet.p50)} (median), ${inWords(quiet.p99)} (99 %), ${inWords(quiet.worst)} (worst)\n`,
	);
	const ok = printVerdicts(verdicts);
	const promises = verdictsForFile(verdicts);
	console.log(`\nfigures in ${await writeResult("renew", { ok, ...result, promises, each })}`);
	return ok;
}

await runBench("renew", lab, main);
