import { setTimeout as delay } from "node:timers/promises";
import { Lab, runBench } from "../lab.ts";
import { hostNow } from "../open-loop/clock.ts";
import { benchSite, isPrepared, type Mode } from "../recovery/bulkhead.ts";
import { panicAndRecover } from "../recovery/drill.ts";
import { machineFacts } from "../recovery/facts.ts";
import { inWords } from "../recovery/plot.ts";
import { printVerdicts, verdictsForFile } from "../recovery/verdicts.ts";
import { writeResult } from "../result.ts";
import { ldap } from "./clients/ldap.ts";
import { smtp } from "./clients/smtp.ts";
import { tcp } from "./clients/tcp.ts";
import { http, https } from "./clients/web.ts";
import { type Drill, type Felt, feltOf, judge } from "./felt.ts";
import { servicesServer } from "./guest.ts";
import { idleVerdicts, oneIdle } from "./idle.ts";
import { summaryOf, tableOf } from "./table.ts";
import { Users } from "./users.ts";

/**
 * What clients of five protocols feel of a kernel panic, each through its own front door to the same guest. Then thousands of
 * idle connections through another one. Ends with 1 when a promise is broken.
 * MODE=warm or cold, DRILLS=20, CLIENTS=4 (a protocol), IDLE=9000 (connections; 0 leaves that out; warm only).
 */

const mode: Mode = process.env.MODE === "cold" ? "cold" : "warm";
const drills = Number(process.env.DRILLS ?? "20");
const clients = Number(process.env.CLIENTS ?? "4");
const idle = mode === "warm" ? Number(process.env.IDLE ?? "9000") : 0;
const protocols = [http, https, ldap, smtp, tcp];
const server = "services";
const preparedWithinMs = 300_000;

const lab = new Lab("/var/lib/bulkhead-bench-protocols");

async function begin(signal: AbortSignal): Promise<void> {
	await lab.apply(benchSite({ [server]: servicesServer(mode, protocols) }));
	await lab.client.call("start", { server }, null);
	await lab.until(server, isPrepared, preparedWithinMs, signal);
	for (const protocol of protocols) await (await protocol.visit(protocol.listen)).leave();
}

function line(number: number, felt: readonly Felt[]): string {
	const each = felt.map(({ protocol, inFlight, servedAgainMs }) => {
		const again = servedAgainMs === null ? "never" : inWords(servedAgainMs);
		return `${protocol} ${again} (${inFlight.answered}+${inFlight.ended})`;
	});
	return `  ${`${number}/${drills}`.padStart(7)}  ${each.join("  ")}`;
}

async function makeDrills(users: Users, signal: AbortSignal): Promise<Drill[]> {
	const made: Drill[] = [];
	for (let number = 1; number <= drills; number++) {
		await delay(1000 + Math.random() * 1000, undefined, { signal });
		users.check();
		const panic = await panicAndRecover(lab, server, signal);
		const drill = { ...panic, over: hostNow() };
		made.push(drill);
		console.log(
			line(
				number,
				protocols.map(({ name }) => feltOf(users.uses, name, drill)),
			),
		);
	}
	await delay(1000, undefined, { signal });
	return made;
}

async function main(signal: AbortSignal): Promise<boolean> {
	const { accelerator } = await lab.client.call("status", {}, null);
	const machine = await machineFacts(accelerator);
	console.log(`Making the server, ${mode} recovery (the template is built the first time)`);
	await begin(signal);
	console.log(
		`${clients} clients each of ${protocols.map(({ name }) => name).join(", ")}. Until all are served again (in flight: answered + ended):`,
	);
	await using users = new Users(protocols, clients);
	const made = await makeDrills(users, signal);
	await users.stop();
	const each = made.map((drill) => protocols.map(({ name }) => feltOf(users.uses, name, drill)));
	const summaries = Object.fromEntries(
		protocols.map(({ name }, index) => [name, summaryOf(each.flatMap((felt) => felt[index] ?? []))]),
	);
	console.log(`\n${tableOf(summaries)}\n`);
	const idleFelt = idle > 0 ? await oneIdle(lab, server, idle, signal) : null;
	const verdicts = [
		...judge(users.uses, each.flat(), made, mode === "warm"),
		...(idleFelt ? idleVerdicts(idleFelt) : []),
	];
	const ok = printVerdicts(verdicts);
	const promises = verdictsForFile(verdicts);
	const result = {
		ok,
		mode,
		drills: made.length,
		clients,
		summaries,
		idle: idleFelt,
		machine,
		promises,
		each,
	};
	console.log(`\nfigures in ${await writeResult("protocols", result)}`);
	return ok;
}

await runBench("protocols", lab, main);
