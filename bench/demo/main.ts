import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { styleText } from "node:util";
import { parse } from "yaml";
import { explain } from "../../src/api/errors.ts";
import type { Fault } from "../../src/api/server.ts";
import type { Site } from "../../src/api/site.ts";
import { formatDuration } from "../../src/api/units.ts";
import { Lab, untilInterrupted } from "../lab.ts";
import { isPrepared } from "../recovery/bulkhead.ts";
import { tellsOfRemains } from "../remains.ts";
import { withResult, writeResult } from "../result.ts";
import { SteadyClient } from "../steady-client.ts";
import { type DrillResult, runDrill, writtenUp } from "./drills.ts";
import { brokenOf, type DaemonResult, requestsOf } from "./judge.ts";
import { demoState } from "./state.ts";
import { Ticker } from "./ticker.ts";

/**
 * The main job on real guests: two servers, a steady client for each, failures made on purpose, the daemon killed in
 * between, and what users felt. Everything is removed afterwards, also on Ctrl-C; KEEP=1 leaves it running.
 */

const root = fileURLToPath(new URL("../..", import.meta.url));
const bulkhead = join(root, "bin/bulkhead");
const bootWithinMs = 180_000;
const requestEveryMs = 100;

const interrupted = untilInterrupted();

function heading(text: string): void {
	console.log(`\n${styleText("bold", text)}`);
}

/** Runs the command line as a user would, in view. */
async function cli(...args: string[]): Promise<void> {
	console.log(styleText("dim", `$ bulkhead ${args.join(" ")}`));
	const child = spawn(bulkhead, args, {
		stdio: ["ignore", "inherit", "inherit"],
		env: { ...process.env, BULKHEAD_STATE: demoState },
	});
	const { promise, resolve, reject } = Promise.withResolvers<number | null>();
	child.once("error", reject);
	child.once("exit", resolve);
	const code = await promise;
	interrupted.throwIfAborted();
	if (code !== 0) throw new Error(`bulkhead ${args.join(" ")} ended with code ${code}`);
}

async function clientsOf(site: Site): Promise<Map<string, SteadyClient>> {
	const published = Object.entries(site.servers ?? {}).flatMap(([name, { publish }]) =>
		publish?.[0]?.listen ? [[name, publish[0].listen] as const] : [],
	);
	return new Map(
		published.map(([name, listen]) => [
			name,
			new SteadyClient(`http://127.0.0.1:${listen}/`, requestEveryMs),
		]),
	);
}

function clientOf(clients: ReadonlyMap<string, SteadyClient>, server: string): SteadyClient {
	const client = clients.get(server);
	if (!client) throw new Error(`${server} publishes nothing`);
	return client;
}

const drills: { server: string; fault: Fault; words: string }[] = [
	{ server: "till", fault: "panic", words: "the guest's kernel panics (a non-maskable interrupt)" },
	{ server: "till", fault: "kill", words: "the session's QEMU process is killed (SIGKILL)" },
	{ server: "till", fault: "hang", words: "the guest hangs: interrupts off, an endless loop" },
	{ server: "till", fault: "freeze", words: "QEMU is frozen (SIGSTOP)" },
	{ server: "intranet", fault: "panic", words: "the Debian server with nginx panics" },
];

async function allDrills(lab: Lab, clients: ReadonlyMap<string, SteadyClient>): Promise<DrillResult[]> {
	const results: DrillResult[] = [];
	const ticker = new Ticker(clients);
	for (const [index, { server, fault, words }] of drills.entries()) {
		heading(`${index + 1}. ${server}: ${words}`);
		ticker.start(
			`  requests, ${1000 / requestEveryMs} a second   · served  ▒ waited, then served  x failed  ? waiting`,
		);
		try {
			await lab.until(server, isPrepared, bootWithinMs, interrupted);
			await delay(1500, undefined, { signal: interrupted });
			const { result, incident } = await runDrill(
				{ server, fault },
				lab,
				clientOf(clients, server),
				interrupted,
			);
			results.push(result);
			ticker.stop();
			await cli("incidents", incident.id);
		} finally {
			ticker.stop();
		}
	}
	return results;
}

async function killTheDaemon(lab: Lab, clients: ReadonlyMap<string, SteadyClient>): Promise<DaemonResult> {
	heading(`${drills.length + 1}. The daemon is killed (SIGKILL), twice`);
	const client = clientOf(clients, "till");
	const begin = Date.now();
	const before = await lab.client.call("show", { server: "till" }, null);
	await lab.killDaemon();
	console.log("  the daemon is gone; till goes on serving");
	await delay(1500, undefined, { signal: interrupted });
	await lab.startDaemon();
	const after = await lab.client.call("show", { server: "till" }, null);
	const samePid = before.session?.pid !== undefined && before.session.pid === after.session?.pid;
	console.log(
		`  the next daemon has taken over session ${after.session?.number}, process ${after.session?.pid}${samePid ? ": the same" : ""}`,
	);
	await lab.killDaemon();
	const panic = await fetch("http://127.0.0.1:8081/cgi-bin/panic", {
		signal: AbortSignal.timeout(1500),
	}).then(
		() => "answered",
		() => "silence",
	);
	console.log(`  the daemon is gone again, and the guest panics meanwhile (its last answer: ${panic})`);
	await lab.startDaemon();
	const incident = await writtenUp(lab, "till", after.session?.number ?? 0, interrupted);
	console.log(`  the next daemon found it and recovered it in session ${incident.nextSession}`);
	const { failed } = client.felt(begin, Date.now());
	return {
		samePid,
		failedRequests: failed,
		recoveredAfterwards: incident.cause === "panic" && incident.outcome === "recovered",
	};
}

function resultTable(results: readonly DrillResult[]): string {
	const rows = results.map(({ server, fault, detectMs, outageMs, requests }) => [
		server,
		fault,
		formatDuration(detectMs),
		formatDuration(outageMs),
		`${requests.sent}`,
		`${requests.failed}`,
		formatDuration(requests.longestPauseMs),
	]);
	const all = [
		["SERVER", "FAULT", "NOTICED AFTER", "OUTAGE", "REQUESTS", "FAILED", "LONGEST PAUSE"],
		...rows,
	];
	const widths = all[0]?.map((_, i) => Math.max(...all.map((row) => row[i]?.length ?? 0))) ?? [];
	return all
		.map(
			(row) =>
				`  ${row.map((cell, i) => (i < 2 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join("  ")}`,
		)
		.join("\n");
}

async function play(lab: Lab): Promise<boolean> {
	const begin = performance.now();
	heading("What this host can do");
	await cli("doctor");
	heading("Two servers from examples/office.yaml");
	await lab.startDaemon();
	const file = join(root, "examples/office.yaml");
	await cli("apply", "--yes", "examples/office.yaml");
	console.log("  waiting until both answer, till has been sealed, and its next session stands by");
	await lab.allRun(bootWithinMs, interrupted);
	await lab.until("till", isPrepared, bootWithinMs, interrupted);
	await cli("list");
	const clients = await clientsOf(parse(await readFile(file, "utf8")) as Site);
	const stopped = async () => await Promise.all([...clients.values()].map((client) => client.stop()));
	try {
		const results = await allDrills(lab, clients);
		const daemon = await killTheDaemon(lab, clients);
		// Also what was asked between the drills, and is answered only now.
		await stopped();
		const requests = requestsOf(clients);
		const broken = brokenOf(requests, daemon);
		const ok = broken.length === 0;
		heading("What users felt");
		console.log(resultTable(results));
		const { accelerator } = await lab.client.call("status", {}, null);
		const seconds = Math.round((performance.now() - begin) / 1000);
		await writeResult("demo", { ok, seconds, accelerator, drills: results, daemon, requests, broken });
		console.log(
			`\n  ${ok ? styleText("green", `None of ${requests.sent} requests failed.`) : styleText("red", `Not as it should be: ${broken.join("; ")}.`)} ${seconds} s, ${accelerator.toUpperCase()}; figures in out/demo.json`,
		);
		return ok;
	} finally {
		await stopped();
	}
}

/** Plays it, and removes everything again unless it is to stay. @throws what went wrong, which has been told */
async function playAndRemove(lab: Lab): Promise<boolean> {
	try {
		return await play(lab);
	} catch (error) {
		console.error(styleText("red", `\nThe demo failed: ${explain(error)}`));
		if (!interrupted.aborted)
			console.error(
				await readFile(join(demoState, "daemon.log"), "utf8").then(
					(log) => log.slice(-3000),
					() => "",
				),
			);
		throw error;
	} finally {
		if (process.env.KEEP === "1" && !interrupted.aborted) {
			heading("It stays (KEEP=1)");
			console.log(
				`  export BULKHEAD_STATE=${demoState}\n  bin/bulkhead list\n  http://127.0.0.1:8080/ and http://127.0.0.1:8081/\n  make demo-clean    removes it`,
			);
		} else {
			await lab.dispose();
			console.log("\nServers, disks, network and daemon of the demo are gone again.");
		}
	}
}

async function main(): Promise<number> {
	process.chdir(root);
	const lab = new Lab(demoState);
	if (existsSync(demoState)) {
		console.log("Removing what an earlier demo left behind.");
		await lab.disposeKept();
	}
	const ok = await withResult("demo", async () => await playAndRemove(lab)).catch((error: unknown) => {
		if (tellsOfRemains(error)) throw error;
		return false;
	});
	return ok ? 0 : 1;
}

process.exitCode = await main();
