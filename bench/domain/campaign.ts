import { setTimeout as delay } from "node:timers/promises";
import { styleText } from "node:util";
import { explain } from "../../src/api/errors.ts";
import { inside } from "../../src/directory/member/plan.ts";
import { viewCommand } from "../../src/directory/member/view.ts";
import { CommandError } from "../../src/host/command.ts";
import { runPlain } from "../lab.ts";
import { isPrepared } from "../recovery/bulkhead.ts";
import { machineFacts } from "../recovery/facts.ts";
import { printVerdicts, verdictsForFile } from "../recovery/verdicts.ts";
import { writeResult } from "../result.ts";
import {
	type After,
	type Drill,
	feltOf,
	judge,
	type Question,
	questions,
	seconds,
	summaryOf,
} from "./felt.ts";
import { heldVerdicts, holdOutage } from "./held.ts";
import { logon } from "./member.ts";
import { Newcomers } from "./newcomers.ts";
import { lan } from "./places.ts";
import { Repeated } from "./users.ts";
import {
	alice,
	type Controller,
	inWorld,
	panicOf,
	siteOf,
	told,
	untilOnline,
	type World,
	workgroup,
} from "./world.ts";

/**
 * Panics of a domain's controller, one after the other, while users are created over LDAP and clients log in and look up.
 * Ends with 1 when a promise is broken. PANICS=50, COLD=5 (more of them, the same server recovering cold), CONTROLLERS=1
 * or 2 (which panic in turn), HOLD=60 (seconds that a lasting outage of a single one has), CHECK=0 leaves out the
 * directory's check of itself, which takes minutes under emulation.
 */

const panics = Number(process.env.PANICS ?? "50");
const controllers: readonly Controller[] = process.env.CONTROLLERS === "2" ? ["dc1", "dc2"] : ["dc1"];
const several = controllers.length > 1;
const cold = several ? 0 : Number(process.env.COLD ?? "5");
const heldMs = several ? 0 : Number(process.env.HOLD ?? "60") * 1000;
const check = process.env.CHECK !== "0";
const name = "domainbench";
const resultName = several ? "domain-two" : "domain";
const preparedWithinMs = 600_000;
const servedWithinMs = 180_000;
const replicatesWithinMs = 180_000;
/** The directory's check of itself takes minutes under emulation; the daemon ends it after five. */
const inspectedWithinMs = 330_000;
/** What costs an emulated controller a good part of a second. */
const seldomMs = 1000;
/**
 * From a new user to the next. Each costs an emulated controller two thirds of a second of a processor, and the other one half
 * of that; where it is judged what a panic adds to an answer, they are not to be what everybody waits for.
 */
const newcomerEveryMs = several ? 5000 : 1500;
/** How long everybody works before a panic: what they wait for then is what they are used to. */
const quietMs = 4000;

type Asking = Record<Question, Repeated>;

function ask({ admin, user, asHost }: World): Asking {
	// Of several controllers those that there are are found by the domain's name, in its DNS.
	const found = user.base.replaceAll("=", "%3D").replaceAll(",", "%2C");
	const url = several ? `ldap:///${found}` : `ldap://${lan.controllers.dc1}`;
	return {
		ldap: new Repeated(
			async () => await user.run(["ldapsearch", "-x", "-LLL", "-H", url, "-s", "base", "-b", ""]),
		),
		kerberos: new Repeated(async () => await user.kinit(alice.name, alice.password), seldomMs),
		dns: new Repeated(async () => await admin.run(["getent", "ahostsv4", admin.domain.realm])),
		logon: new Repeated(async () => {
			if (!(await logon(asHost, workgroup, alice.name, alice.password)).ok)
				throw new Error("alice could not log in to the host");
		}, seldomMs),
	};
}

async function drill(
	server: Controller,
	mode: Drill["mode"],
	world: World,
	newcomers: Newcomers,
	signal: AbortSignal,
): Promise<Drill> {
	const asking = ask(world);
	const all = Object.values(asking);
	const before = newcomers.acknowledged.length;
	try {
		await delay(quietMs + Math.random() * 1000, undefined, { signal });
		const moment = await panicOf(server, world);
		for (const one of all) one.untilServedAfter(moment);
		const felt = await servedAgain(asking, moment, signal);
		await Promise.all(all.map(async (one) => await one.stop()));
		const { trusted } = await untilOnline(world, signal);
		const over = performance.now();
		return {
			...{ server, mode, ...felt },
			...refusedOf(asking, moment, over),
			users: newcomers.acknowledged.length - before,
			trustOk: trusted === true,
			replicates: several ? await replicates(server, world, signal) : null,
		};
	} finally {
		await Promise.all(all.map(async (one) => await one.stop()));
	}
}

function refusedOf(asking: Asking, moment: number, over: number): Pick<Drill, "refused" | "refusals"> {
	const refusals = questions.flatMap((question) =>
		asking[question].refusedBetween(moment, over).map((words) => `${question} ${words}`),
	);
	return { refused: refusals.length, refusals };
}

async function servedAgain(
	asking: Asking,
	moment: number,
	signal: AbortSignal,
): Promise<Pick<Drill, "answers" | "waits" | "quiet">> {
	const end = performance.now() + servedWithinMs;
	for (;;) {
		const felt = questions.map((question) => [question, feltOf(asking[question], moment)] as const);
		const silent = felt.filter(([, one]) => one === undefined).map(([question]) => question);
		if (silent.length === 0) {
			const pick = (what: "answer" | "wait" | "quiet") =>
				Object.fromEntries(felt.map(([question, one]) => [question, Math.round(one?.[what] ?? 0)])) as Record<
					Question,
					number
				>;
			return { answers: pick("answer"), waits: pick("wait"), quiet: pick("quiet") };
		}
		if (performance.now() > end) throw new Error(`nobody was served again: ${silent.join(", ")}`);
		await delay(50, undefined, { signal });
	}
}

async function replicates(server: Controller, world: World, signal: AbortSignal): Promise<boolean> {
	await world.lab.until(server, ({ state }) => state === "running", preparedWithinMs, signal);
	return (await replicationTrouble(server, world, signal)) === null;
}

/** @returns null as soon as all of its replication is good, or what is not after three minutes */
async function replicationTrouble(
	server: Controller,
	world: World,
	signal: AbortSignal,
): Promise<string | null> {
	const end = performance.now() + replicatesWithinMs;
	for (;;) {
		const trouble = await saysWell(
			async () =>
				await inspected(world, server, "replication", signal).catch((error: unknown) => explain(error)),
			/ALL GOOD/,
		);
		if (trouble === null || performance.now() > end) return trouble;
		await delay(1000, undefined, { signal });
	}
}

async function untilPrepared({ lab }: World, signal: AbortSignal): Promise<void> {
	for (const server of controllers) await lab.until(server, isPrepared, preparedWithinMs, signal);
}

async function makeDrills(world: World, newcomers: Newcomers, signal: AbortSignal): Promise<Drill[]> {
	const made: Drill[] = [];
	const one = async (mode: Drill["mode"], number: number, of: number) => {
		await untilPrepared(world, signal);
		const server = controllers[number % controllers.length] ?? "dc1";
		const found = await drill(server, mode, world, newcomers, signal);
		made.push(found);
		console.log(line(`${number + 1}/${of}`, found));
	};
	console.log(
		`\n   panic  mode  server  ${questions.map((question) => question.padStart(9)).join("")}  refused  users`,
	);
	for (let number = 0; number < panics; number++) await one("warm", number, panics);
	if (cold === 0) return made;
	const site = siteOf(wanted, "lan");
	const server = site.servers?.dc1;
	if (server?.recovery) server.recovery.mode = "cold";
	await world.lab.apply(site);
	for (let number = 0; number < cold; number++) await one("cold", number, cold);
	return made;
}

const wanted = { name, controllers, drills: panics + cold } as const;

function line(number: string, { mode, server, answers, refused, users, trustOk }: Drill): string {
	const each = questions.map((question) => seconds(answers[question]).padStart(9)).join("");
	return `${number.padStart(8)}  ${mode}  ${server.padEnd(6)}  ${each}  ${`${refused}`.padStart(7)}  ${`${users}`.padStart(5)}${trustOk ? "" : "  NOT TRUSTED"}`;
}

// ---- afterwards

const testjoin = ["net", "ads", "testjoin", "-P", `--configfile=${inside}/etc/smb.conf`];

/** @returns null when it ends well, or what it says */
async function saysWell(work: () => Promise<string>, well: RegExp): Promise<string | null> {
	const said = await work().catch((error: unknown) => {
		if (error instanceof CommandError) return error.stderr.trim() || error.message;
		throw error;
	});
	return well.test(said) ? null : said.trim().slice(-300) || "it says nothing";
}

/** What a directory says of itself, whether that is good or bad. */
async function inspected(
	{ lab }: World,
	server: Controller,
	what: "check" | "replication",
	signal: AbortSignal,
): Promise<string> {
	const { findings } = await lab.client.call(
		"administerDomain",
		{ server },
		{ what },
		{ signal, deadlineMs: inspectedWithinMs },
	);
	return findings?.lines.join("\n") ?? "";
}

/** @returns who is known to a controller: when all acknowledged ones are, or later, as others tell it a little later than they answer */
async function usersOn(
	server: Controller,
	acknowledged: readonly string[],
	{ admin }: World,
	signal: AbortSignal,
): Promise<string[]> {
	const end = performance.now() + (several ? replicatesWithinMs : 0);
	for (;;) {
		const there = await admin.users(server);
		if (acknowledged.every((user) => there.includes(user)) || performance.now() > end) return there;
		await delay(1000, undefined, { signal });
	}
}

async function lookAfter(world: World, newcomers: Newcomers, signal: AbortSignal): Promise<After> {
	const { admin, desk, folder } = world;
	const { acknowledged } = newcomers;
	const missing: string[] = [];
	const twice: string[] = [];
	for (const server of controllers) {
		const there = await usersOn(server, acknowledged, world, signal);
		missing.push(
			...acknowledged.filter((user) => !there.includes(user)).map((user) => `${user} on ${server}`),
		);
		twice.push(...there.filter((user, i) => there.indexOf(user) !== i).map((user) => `${user} on ${server}`));
	}
	const tools: Record<string, string | null> = {
		"net ads testjoin": await saysWell(
			async () => await admin.run(viewCommand(folder, testjoin, ["--die-with-parent"])),
			/Join is OK/,
		),
		"adcli testjoin": (await desk.isMember()) ? null : "it is no member",
	};
	for (const server of controllers) {
		if (several)
			tools[`samba-tool drs showrepl on ${server}`] = await replicationTrouble(server, world, signal);
		if (check)
			tools[`samba-tool dbcheck on ${server}`] = await saysWell(
				async () => await inspected(world, server, "check", signal),
				/\(0 errors\)/,
			);
	}
	return { acknowledged: acknowledged.length, missing, twice, tools };
}

function tell(made: readonly Drill[]): Record<string, unknown> {
	const summaries: Record<string, unknown> = {};
	console.log(
		"\n                   first answer: median, worst    longest wait: median, worst    quiet: worst",
	);
	for (const mode of ["warm", "cold"] as const)
		for (const question of questions) {
			const drills = made.filter((one) => one.mode === mode);
			const [answers, waits, quiet] = (["answers", "waits", "quiet"] as const).map((what) =>
				summaryOf(drills.map((one) => one[what][question])),
			);
			if (!answers || !waits || !quiet) continue;
			summaries[`${mode} ${question}`] = { answers, waits, quiet };
			const pair = ({ median, worst }: { median: number; worst: number }) =>
				`${seconds(median)}  ${seconds(worst)}`.padStart(27);
			console.log(
				`  ${mode}  ${question.padEnd(8)}  ${pair(answers)}  ${pair(waits)}  ${seconds(quiet.worst).padStart(13)}`,
			);
		}
	return summaries;
}

async function play(world: World, signal: AbortSignal): Promise<boolean> {
	const { accelerator } = await world.lab.client.call("status", {}, null);
	await told("sealed, and the next session stands by", async () => await untilPrepared(world, signal));
	const newcomers = new Newcomers(world.admin, controllers, alice.password, newcomerEveryMs);
	const made = await makeDrills(world, newcomers, signal).finally(async () => await newcomers.stop());
	const held =
		heldMs > 0
			? await told("an outage that lasts", async () => await holdOutage(world, heldMs, signal))
			: null;
	const after = await told(
		"the domain and its members are looked after",
		async () => await lookAfter(world, newcomers, signal),
	);
	const summaries = tell(made);
	console.log("");
	const verdicts = [...judge(made, after, several), ...(held ? heldVerdicts(held) : [])];
	const ok = printVerdicts(verdicts);
	const machine = await machineFacts(accelerator);
	const result = {
		ok,
		controllers,
		machine,
		summaries,
		held,
		after,
		drills: made,
		verdicts: verdictsForFile(verdicts),
	};
	const path = await writeResult(resultName, result);
	console.log(
		`\n${ok ? styleText("green", "all promises kept") : styleText("red", "a promise is broken")}; figures: ${path}`,
	);
	return ok;
}

await runPlain(
	resultName,
	async (signal) => await inWorld(wanted, signal, async (world) => await play(world, signal)),
);
