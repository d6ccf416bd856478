import { expect, test } from "vitest";
import type { Hearing, Pulse } from "./evidence.ts";
import { beginWatch, observe, rebooted, type Watch } from "./watch.ts";

const hearing: Hearing = { agent: true, services: ["http"] };
const well: Pulse = {
	at: 0,
	process: "runs",
	status: "running",
	qmpHeardAt: 0,
	agentHeardAt: null,
	services: { http: "up" },
	interrupts: "on",
	starved: 0,
};
const dead: Partial<Pulse> = { services: { http: "down" }, interrupts: "off" };

/** Looks every half second; each look is `pulse` with what the moment changes. */
function watch(
	seconds: number,
	pulse: (at: number) => Partial<Pulse>,
	from = beginWatch(0),
	to = hearing,
	complete = true,
): Watch {
	let seen = from;
	for (let at = from.lastLook + 500; at <= from.lastLook + seconds * 1000; at += 500) {
		seen = observe(seen, { ...well, at, qmpHeardAt: at, ...pulse(at) }, to, complete);
	}
	return seen;
}

const answering = (at: number) => ({ agentHeardAt: at });
const ready = watch(1, answering);

test.each<[string, Partial<Pulse>, Hearing, string[]]>([
	["agent and service", { agentHeardAt: 100 }, hearing, []],
	["the service alone", {}, hearing, ["guest agent"]],
	["the agent alone", { agentHeardAt: 100, services: { http: "down" } }, hearing, ["http"]],
	[
		"a service that was not checked yet",
		{ agentHeardAt: 100, services: { http: "unknown" } },
		hearing,
		["http"],
	],
	["an answer of the boot before", { agentHeardAt: -1 }, hearing, ["guest agent"]],
	[
		"an agent that was never heard, and a mute front door",
		{ at: 9000, services: {} },
		hearing,
		["guest agent"],
	],
	["an agent, and a mute front door", { at: 9000, agentHeardAt: 100, services: {} }, hearing, []],
	[
		"an agent, and a front door that knows no service",
		{ at: 9000, agentHeardAt: 100, services: { http: "unknown" } },
		hearing,
		[],
	],
	[
		"nothing yet, of a server without agent",
		{ services: { http: "unknown" } },
		{ agent: false, services: ["http"] },
		["http"],
	],
	[
		"nothing, of a server without agent whose front door is mute",
		{ at: 9000, services: { http: "unknown" } },
		{ agent: false, services: ["http"] },
		[],
	],
	[
		"the agent, where nobody has ever heard the service",
		{ agentHeardAt: 100, services: { http: "down" } },
		{ ...hearing, unproven: ["http"] },
		[],
	],
	["nothing, of a server that can give no sign", { services: {} }, { agent: false, services: [] }, []],
])("ready after %s: missing are %4$j", (_, pulse, to, missing) => {
	const seen = observe(beginWatch(0), { ...well, at: 500, ...pulse }, to);
	expect(seen.missing).toEqual(missing);
	expect(seen.phase).toBe(missing.length === 0 ? "ready" : "booting");
});

test("once ready it stays ready, whatever falls silent", () => {
	expect(watch(60, () => dead, ready).phase).toBe("ready");
});

test("while one is away that it comes after it need not become ready, and has its whole time when that is back", () => {
	const late = watch(100, () => dead);
	expect(late.bootingMs).toBe(100_000);
	const alone = watch(100, () => dead, late, hearing, false);
	expect([alone.phase, alone.bootingMs, alone.completeMs]).toEqual(["booting", 0, 0]);
	expect(watch(20, () => dead, alone)).toMatchObject({ bootingMs: 20_000, completeMs: 20_000 });
});

test("without an agent the silence of its services counts only with its processors while one is away that they need", () => {
	const services: Hearing = { agent: false, services: ["http"] };
	const up = watch(1, () => ({}), beginWatch(0), services);
	const silent = watch(60, () => ({ services: { http: "down" } }), up, services, false);
	expect([silent.phase, silent.silenceMs]).toEqual(["ready", 0]);
	expect(watch(2, () => dead, silent, services, false)).toMatchObject({
		...{ silenceMs: 2000, interruptsOffMs: 2000 },
	});
	expect(watch(2, () => ({ services: { http: "down" } }), silent, services).silenceMs).toBe(2000);
	// An agent needs nobody.
	const mute = () => ({ agentHeardAt: ready.lastLook, services: { http: "down" } as const });
	expect(watch(10, mute, ready, hearing, false).silenceMs).toBe(10_000);
});

test("silence counts from the last answer of agent or service", () => {
	expect(watch(10, answering, ready).silenceMs).toBe(0);
	expect(watch(10, () => ({ ...dead, agentHeardAt: ready.lastLook }), ready).silenceMs).toBe(10_000);
	expect(watch(10, () => ({ services: { http: "up" } }), ready).silenceMs).toBe(0);
});

test("patience hardly runs out while the host is too busy for the guest, and does at last", () => {
	expect(watch(100, () => ({ ...dead, starved: 1 }), ready).silenceMs).toBe(10_000);
	expect(watch(100, () => ({ ...dead, starved: 0.95 }), ready).silenceMs).toBe(10_000);
	expect(watch(100, () => ({ ...dead, starved: 0.75 }), ready).silenceMs).toBe(25_000);
	expect(watch(100, () => ({ starved: 0.75, services: {} })).bootingMs).toBe(25_000);
});

test("a share outside of 0 to 1 is taken as the nearest", () => {
	expect(watch(10, () => ({ ...dead, starved: 7 }), ready).silenceMs).toBe(1000);
	expect(watch(10, () => ({ ...dead, starved: -7 }), ready).silenceMs).toBe(10_000);
});

test("time in which nobody looked counts as two seconds", () => {
	const late = observe(ready, { ...well, ...dead, at: ready.lastLook + 3_600_000 }, hearing);
	expect(late.silenceMs).toBe(2000);
});

test("a guest that is paused from outside cannot answer, and does not have to", () => {
	expect(watch(60, () => ({ ...dead, status: "paused" }), ready).silenceMs).toBe(0);
});

test("a server that can give no sign is never silent", () => {
	const deaf = { agent: false, services: [] };
	expect(
		watch(
			60,
			() => ({ ...dead, services: {} }),
			watch(1, () => ({}), beginWatch(0), deaf),
			deaf,
		).silenceMs,
	).toBe(0);
});

test("one look with interrupts on is enough to begin anew", () => {
	expect(watch(5, () => dead, ready).interruptsOffMs).toBe(5000);
	const from = ready.lastLook;
	expect(
		watch(5, (at) => ({ ...dead, interrupts: at === from + 4500 ? "on" : "off" }), ready).interruptsOffMs,
	).toBe(500);
});

test("a frozen process counts in full, also on a busy host", () => {
	expect(watch(2, () => ({ process: "frozen", status: null, starved: 1 }), ready).frozenMs).toBe(2000);
});

test("a monitor is silent only while it says nothing at all", () => {
	const mute = { status: null, qmpHeardAt: ready.lastLook };
	expect(watch(10, () => mute, ready).monitorSilenceMs).toBe(10_000);
	expect(watch(10, () => ({ status: null }), ready).monitorSilenceMs).toBe(0);
});

test.each([
	[
		"a mute front door, and the agent",
		() => ({ ...dead, services: { http: "unknown" } }) as const,
		hearing,
		10_000,
	],
	[
		"a mute front door, without agent",
		() => ({ ...dead, services: { http: "unknown" } }) as const,
		{ agent: false, services: ["http"] },
		0,
	],
	["a silent service, without agent", () => dead, { agent: false, services: ["http"] }, 10_000],
])("silence of %s", (_, pulse, to, expected) => {
	expect(watch(10, pulse, ready, to).silenceMs).toBe(expected);
});

test("without an agent, a service that stays silent is told as such", () => {
	const to = { agent: false, services: ["http"] };
	expect(watch(2, () => dead, ready, to).silentServices).toEqual([]);
	const silent = watch(4, () => dead, ready, to);
	expect(silent).toMatchObject({ agent: false, silentServices: ["http"] });
	expect(watch(1, () => ({}), silent, to).silentServices).toEqual([]);
});

test("nothing counts against a guest whose QEMU waits for the host's disk", () => {
	const waits = { ...dead, process: "uninterruptible", status: null, qmpHeardAt: ready.lastLook } as const;
	expect(watch(60, () => waits, ready)).toMatchObject({
		silenceMs: 0,
		monitorSilenceMs: 0,
		frozenMs: 0,
		diskWaitMs: 60_000,
	});
	expect(watch(60, () => ({ ...waits, services: {} })).bootingMs).toBe(0);
	expect(
		watch(
			1,
			answering,
			watch(60, () => waits, ready),
		).diskWaitMs,
	).toBe(0);
});

test.each(["paused", "suspended"])("a guest that is %s is so for as long as it lasts", (status) => {
	const paused = watch(30, () => ({ ...dead, status }), ready);
	expect(paused.pausedMs).toBe(30_000);
	expect(watch(1, answering, paused).pausedMs).toBe(0);
});

test("a service that fails one check is not told of; one that stays silent is, while something is heard", () => {
	const failing = (at: number) => ({ agentHeardAt: at, services: { http: "down" } as const });
	expect(watch(2, failing, ready).silentServices).toEqual([]);
	const one = watch(8, (at) => ({ agentHeardAt: at, services: { http: "down" } }), ready);
	expect(one.silentServices).toEqual(["http"]);
	expect(watch(10, () => dead, one).silentServices).toEqual(["http"]);
	expect(watch(2, answering, one).silentServices).toEqual([]);
	expect(watch(2, () => dead).silentServices).toEqual([]);
});

test("a reboot begins a new boot in the same session", () => {
	const again = rebooted(ready, 5000);
	expect(again).toMatchObject({ phase: "booting", since: 5000, resets: 1, bootingMs: 0 });
	expect(watch(1, () => ({ agentHeardAt: 4999 }), again).missing).toEqual(["guest agent"]);
	expect(watch(1, answering, again)).toMatchObject({ phase: "ready", resets: 0 });
});

test("a reboot that is told several times at once is one", () => {
	let again = rebooted(ready, 5000);
	for (const at of [5090, 5094, 5140, 5142]) again = rebooted(again, at);
	expect(again).toMatchObject({ phase: "booting", since: 5142, resets: 1 });
	expect(rebooted(again, 5700).resets).toBe(2);
});

test("of which nothing can be heard, its reboots are over when it has run for a minute, and none counts twice", () => {
	const deaf: Hearing = { agent: false, services: [] };
	const runs = (seconds: number, from: Watch, pulse: Partial<Pulse> = {}) =>
		watch(seconds, () => ({ services: {}, ...pulse }), from, deaf);
	const first = runs(59, rebooted(runs(1, beginWatch(0)), 1000));
	expect(first).toMatchObject({ phase: "ready", resets: 1, readyMs: 59_000 });
	const second = rebooted(first, first.lastLook);
	expect(second).toMatchObject({ phase: "booting", resets: 2, readyMs: 0 });
	expect(runs(60, second)).toMatchObject({ phase: "ready", resets: 0 });
	// A pause of the guest, and a host that does not let it run, are no time in which it could have failed again.
	expect(runs(90, second, { status: "paused" }).resets).toBe(2);
	expect(runs(90, second, { starved: 1 }).resets).toBe(2);
	// Told again of the same restart, when a look has come between.
	const looked = observe(second, { ...well, at: second.since + 100, services: {} }, deaf);
	expect(looked.phase).toBe("ready");
	expect(rebooted(looked, looked.lastLook)).toMatchObject({ phase: "booting", resets: 2 });
});

test("a mute front door leaves a server without agent in its loop", () => {
	const to: Hearing = { agent: false, services: ["http"] };
	const mute = watch(10, () => ({ services: { http: "unknown" } }), rebooted(beginWatch(0), 1), to);
	expect(mute).toMatchObject({ phase: "ready", resets: 1 });
	expect(watch(1, () => ({}), mute, to).resets).toBe(0);
});

test("reboots without becoming ready share one boot deadline", () => {
	const booting = watch(60, () => ({ services: {} }));
	const again = rebooted(booting, 60_000);
	expect(again).toMatchObject({ resets: 1, bootingMs: 60_000 });
	expect(rebooted(again, 61_000).resets).toBe(2);
});

test("a clock that is set back is not a reason to stop watching", () => {
	const hour = 3_600_000;
	const late = observe(
		ready,
		{ ...well, at: ready.lastLook + hour, agentHeardAt: ready.lastLook + hour },
		hearing,
	);
	const back = observe(late, { ...well, ...dead, at: 2000 }, hearing);
	const silent = observe(back, { ...well, ...dead, at: 4000 }, hearing);
	expect(silent.silenceMs).toBe(2000);
});

test("a service is silent by any name", () => {
	const name = "constructor";
	const down = { [name]: "down" as const };
	const to: Hearing = { agent: true, services: [name] };
	const seen = watch(1, (at) => ({ ...answering(at), services: down }), ready, to);
	expect(seen.downMs).toEqual({ [name]: 1000 });
});
