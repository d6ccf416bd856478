import { setTimeout as delay } from "node:timers/promises";
import { styleText } from "node:util";
import { logon } from "../domain/member.ts";
import { lan } from "../domain/places.ts";
import { Repeated } from "../domain/users.ts";
import {
	alice,
	command,
	inWorld,
	panicOf,
	realm,
	told,
	untilConnected,
	untilOnline,
	type World,
	workgroup,
} from "../domain/world.ts";
import { runPlain } from "../lab.ts";
import { median } from "../median.ts";
import { isPrepared } from "../recovery/bulkhead.ts";
import { machineFacts } from "../recovery/facts.ts";
import { printVerdicts, verdictsForFile } from "../recovery/verdicts.ts";
import { writeResult } from "../result.ts";
import { type Drill, domainOf, verdictsOf } from "./judge.ts";

/**
 * The whole story: a server is the controller of an Active Directory domain, in its sandbox; this host is a member of that
 * domain, and so is a desk on the LAN; the controller's kernel panics while they work. Ends with 1 when a promise is
 * broken. DRILLS=2; CHECK=1 has the directory check itself in the end, which takes minutes under emulation. Everything is
 * removed afterwards, also on Ctrl-C.
 */

const drills = Number(process.env.DRILLS ?? "2");
const check = process.env.CHECK === "1";
const name = "story";
const server = "dc1";
const wanted = { name, controllers: [server], drills, logins: true } as const;
const preparedWithinMs = 300_000;
const servedWithinMs = 60_000;

async function drill(number: number, world: World, signal: AbortSignal): Promise<Drill> {
	const { admin, user, desk, asHost } = world;
	const search = new Repeated(
		async () =>
			await user.run([
				"ldapsearch",
				"-x",
				"-LLL",
				"-H",
				`ldap://${user.fullName(server)}`,
				"-s",
				"base",
				"-b",
				"",
			]),
	);
	const smb = new Repeated(
		async () => await admin.run(["bash", "-c", `: <> /dev/tcp/${lan.controllers[server]}/445`]),
	);
	const tickets = new Repeated(async () => await user.kinit(alice.name, alice.password));
	try {
		await delay(1000, undefined, { signal });
		const name = `kept${number}`;
		await admin.addUser(server, name, alice.password);
		const sshMs = await ssh(world);
		const at = await panicOf(server, world);
		for (const asking of [search, tickets, smb]) asking.untilServedAfter(at);
		// winbindd knows within two looks; who comes before that waits for the controller.
		await delay(2000, undefined, { signal });
		const away = search.servedAfter(at) === null;
		const cached = await logon(asHost, workgroup, alice.name, alice.password);
		const wrong = await logon(asHost, workgroup, alice.name, "Not-This-0ne");
		const still = search.servedAfter(at) === null;
		const sshDuringMs = await ssh(world);
		const stillNotWhole = smb.servedAfter(at) === null;
		await untilConnected(world, signal);
		const online = performance.now();
		while ([search, tickets, smb].some((asking) => asking.servedAfter(at) === null)) {
			if (performance.now() > online + servedWithinMs) throw new Error("nobody at the desk was served again");
			await delay(50, undefined, { signal });
		}
		const [ldapMs, kerberosMs] = [search.servedAfter(at), tickets.servedAfter(at)];
		const over = performance.now();
		const smbMs = smb.servedAfter(at);
		await Promise.all([search.stop(), tickets.stop(), smb.stop()]);
		const refusals = [
			...search.refusedBetween(at, over).map((words) => `ldap ${words}`),
			...tickets.refusedBetween(at, over).map((words) => `kerberos ${words}`),
		];
		for (const words of refusals) console.log(`  refused: ${words}`);
		return {
			ldapMs,
			kerberosMs,
			smbMs,
			...{ refused: refusals.length, refusals },
			cachedLogonOk: cached.ok,
			cachedLogonMs: away && still && cached.ok ? cached.ms : null,
			wrongRefused: !wrong.ok,
			sshMs,
			sshDuringOk: sshDuringMs !== null,
			cachedSshMs: away && stillNotWhole ? sshDuringMs : null,
			backOnlineMs: Math.max(0, online - at - (smbMs ?? 0)),
			userKept: (await admin.users(server)).includes(name),
			trustOk: (await untilOnline(world, signal)).trusted === true,
			deskOk: await desk.isMember(),
		};
	} finally {
		await Promise.all([search.stop(), tickets.stop(), smb.stop()]);
	}
}

/** @returns how long it took until she was in; null when she did not get in */
async function ssh({ files }: World): Promise<number | null> {
	const entrance = await files?.ssh(`${alice.name}@${realm}`, alice.password, lan.host);
	return entrance?.ok ? entrance.ms : null;
}

const seconds = (ms: number | null) => (ms === null ? "never" : `${(ms / 1000).toFixed(2)} s`);
function table(made: readonly Drill[]): void {
	console.log(
		"\n  panic  LDAP answers  Kerberos     files  cached logon  by SSH, before  cached  host online  refused",
	);
	for (const [i, one] of made.entries()) {
		const cells = [
			`${i + 1}`.padStart(5),
			seconds(one.ldapMs).padStart(12),
			seconds(one.kerberosMs).padStart(8),
			seconds(one.smbMs).padStart(8),
			(one.cachedLogonMs === null ? "" : `${one.cachedLogonMs} ms`).padStart(12),
			seconds(one.sshMs).padStart(14),
			(one.cachedSshMs === null ? "" : seconds(one.cachedSshMs)).padStart(6),
			`+${seconds(one.backOnlineMs)}`.padStart(11),
			`${one.refused}`.padStart(7),
		];
		console.log(`  ${cells.join("  ")}`);
	}
}

async function play(world: World, began: number, signal: AbortSignal): Promise<boolean> {
	const { lab } = world;
	const { accelerator } = await lab.client.call("status", {}, null);
	const machine = await machineFacts(accelerator);
	await told(
		"it is sealed, and the next session stands by",
		async () => await lab.until(server, isPrepared, preparedWithinMs, signal),
	);
	const made: Drill[] = [];
	for (let number = 1; number <= drills; number++) {
		await lab.until(server, isPrepared, preparedWithinMs, signal);
		made.push(await told(`panic ${number} of ${drills}`, async () => await drill(number, world, signal)));
	}
	const checked = check
		? await told("the directory checks itself", async () =>
				(await command(world, ["domain", "check"], signal)).trim(),
			)
		: null;
	const verdicts = verdictsOf(made, checked);
	table(made);
	const ldap = made.flatMap(({ ldapMs }) => ldapMs ?? []);
	console.log(
		`\n  LDAP answers again: median ${seconds(median(ldap))}, worst ${seconds(Math.max(...ldap))} after the panic\n`,
	);
	const ok = printVerdicts(verdicts);
	const path = await writeResult("story", {
		ok,
		seconds: Math.round((performance.now() - began) / 1000),
		machine,
		drills: made,
		domain: domainOf(made),
		notJudged: verdicts.flatMap(({ promise, broken }) => (broken === undefined ? [promise] : [])),
		verdicts: verdictsForFile(verdicts),
	});
	console.log(
		`\n${ok ? styleText("green", "The story ends well") : styleText("red", "A promise is broken")}; figures: ${path}`,
	);
	return ok;
}

await runPlain("story", async (signal) => {
	const began = performance.now();
	return await inWorld(wanted, signal, async (world) => await play(world, began, signal));
});
