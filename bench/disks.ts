import { setTimeout as delay } from "node:timers/promises";
import { writtenUp } from "./demo/drills.ts";
import { Lab, runBench } from "./lab.ts";
import { writeResult } from "./result.ts";

/**
 * What a guest was told is on disk is there after a panic: a file is written and fsynced on `/` (one kept disk) and on
 * a data disk, the guest panics at once, and the next session is asked for both files. ROUNDS=20 by default.
 */

const rounds = Number(process.env.ROUNDS ?? "20");
const guest = "http://127.0.0.1:18092/cgi-bin";
const lab = new Lab("/var/lib/bulkhead-bench");
const site = {
	name: "bench",
	segments: { bench: { subnet: "10.78.0.0/24" } },
	servers: {
		keeper: {
			template: "tiny",
			system: { disk: "kept" as const },
			data: [{ name: "ledger", size: "64MiB" }],
			network: { segment: "bench", address: "10.78.0.10" },
			recovery: { budget: { attempts: 100, within: "1h" } },
			publish: [{ service: "http", to: "host" as const, listen: 18092 }],
		},
	},
};

async function ask(page: string): Promise<string> {
	const answer = await fetch(`${guest}/${page}`, { signal: AbortSignal.timeout(60_000) });
	return (await answer.text()).trim();
}

interface Round {
	session: number;
	root: boolean;
	data: boolean;
}

async function oneRound(number: number, signal: AbortSignal): Promise<Round> {
	const view = await lab.until("keeper", ({ state }) => state === "running", 120_000, signal);
	const session = view.session?.number ?? 0;
	const written = await Promise.all([
		ask(`write?name=round${number}&value=root${number}`),
		ask(`write?name=round${number}&value=data${number}&disk=ledger`),
	]);
	if (written.some((answer) => answer !== "ok"))
		throw new Error(`the guest could not write: ${written.join(", ")}`);
	// No answer comes of this one: the guest panics while it is asked.
	await fetch(`${guest}/panic`, { signal: AbortSignal.timeout(1000) }).catch(() => {});
	await writtenUp(lab, "keeper", session, signal);
	await delay(100);
	const root = (await ask(`read?name=round${number}`)) === `root${number}`;
	const data = (await ask(`read?name=round${number}&disk=ledger`)) === `data${number}`;
	return { session, root, data };
}

async function main(signal: AbortSignal): Promise<boolean> {
	await lab.apply(site);
	const done: Round[] = [];
	for (let i = 1; i <= rounds; i++) {
		done.push(await oneRound(i, signal));
		process.stdout.write(`\r${i}/${rounds}  `);
	}
	const kept = { root: done.filter(({ root }) => root).length, data: done.filter(({ data }) => data).length };
	const ok = kept.root === rounds && kept.data === rounds;
	console.log(
		`\rafter ${rounds} panics: ${kept.root} of ${rounds} files there on /, ${kept.data} of ${rounds} on the data disk`,
	);
	console.log(`figures in ${await writeResult("disks", { ok, rounds, kept, sessions: done })}`);
	return ok;
}

await runBench("disks", lab, main);
