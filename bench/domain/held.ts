import { setTimeout as delay } from "node:timers/promises";
import type { Verdict } from "../recovery/judge.ts";
import { logon } from "./member.ts";
import { lan } from "./places.ts";
import { alice, untilConnected, type World, workgroup } from "./world.ts";

/** An outage of the only controller that lasts: what becomes of logins to the host. Milliseconds. */
export interface Held {
	forMs: number;
	/** How long each login of somebody took who was known. */
	logins: number[];
	/** Refused although the password was right, and let in although it was wrong. */
	refused: number;
	letIn: number;
	/** From when the controller answered all that a member needs until winbindd was with it. */
	backOnlineMs: number;
}

const everyMs = 3000;
/** winbindd knows within two looks; who comes before that waits for the controller. */
const knownAfterMs = 2000;
const servesWithinMs = 120_000;
/** The one that is served last comes first: until then the others are not asked, which would keep the controller busy. */
const ports = [445, 389, 88, 53];

/** Stops the controller for a while, and starts it again. */
export async function holdOutage(world: World, forMs: number, signal: AbortSignal): Promise<Held> {
	const { lab, asHost } = world;
	const server = "dc1";
	await lab.client.call("stop", { server }, { deadlineMs: 0 });
	const from = performance.now();
	await delay(knownAfterMs, undefined, { signal });
	const logins: number[] = [];
	let [refused, letIn] = [0, 0];
	while (performance.now() - from < forMs) {
		const right = await logon(asHost, workgroup, alice.name, alice.password);
		logins.push(right.ms);
		if (!right.ok) refused++;
		if ((await logon(asHost, workgroup, alice.name, "Not-This-0ne")).ok) letIn++;
		await delay(everyMs, undefined, { signal });
	}
	await lab.client.call("start", { server }, null);
	await untilServed(world, signal);
	const served = performance.now();
	await untilConnected(world, signal);
	return { forMs, logins, refused, letIn, backOnlineMs: Math.round(performance.now() - served) };
}

async function untilServed({ admin }: World, signal: AbortSignal): Promise<void> {
	const tries = ports.map((port) => `: <> /dev/tcp/${lan.controllers.dc1}/${port}`).join(" && ");
	const end = performance.now() + servesWithinMs;
	for (;;) {
		const served = await admin.run(["bash", "-c", tries]).then(
			() => true,
			() => false,
		);
		if (served) return;
		if (performance.now() > end) throw new Error("the controller does not serve again");
		await delay(50, undefined, { signal });
	}
}

export function heldVerdicts({ forMs, logins, refused, letIn, backOnlineMs }: Held): Verdict[] {
	const tried = logins.length > 0;
	const worst = Math.max(...logins);
	const outage = `an outage of ${forMs / 1000} s`;
	return [
		{
			promise: `during ${outage} each of ${logins.length} logins of somebody who was known takes less than 200 ms`,
			broken: !tried
				? undefined
				: refused > 0
					? `${refused} were refused`
					: worst < 200
						? null
						: `${worst} ms`,
		},
		{
			promise: `during ${outage} a wrong password is refused`,
			broken: !tried ? undefined : letIn === 0 ? null : `${letIn} were let in`,
		},
		{
			promise: "the host is online in its domain within 3 s of the controller",
			broken: backOnlineMs <= 3000 ? null : `${backOnlineMs} ms`,
		},
	];
}
