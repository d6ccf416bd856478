import { describe, expect, test } from "vitest";
import { isFinal, judgeSign, judgeWatch, remarks, type Verdict } from "./detection.ts";
import type { Sign } from "./evidence.ts";
import { beginWatch, observe, rebooted, type Watch } from "./watch.ts";

/** A verdict as one line: its kind, its cause where it is a failure, and its words. */
function line(verdict: Verdict): string {
	if (verdict.kind === "failed") return `${verdict.cause}: ${verdict.summary}`;
	return "text" in verdict ? `${verdict.kind}: ${verdict.text}` : verdict.kind;
}

const at = 0;
const full = "disk-full: The host's disk is full: the guest waits, and goes on as soon as there is room";

test.each<[Sign, string]>([
	[{ at, kind: "panicked", details: {} }, "panic: The guest's kernel panicked"],
	[{ at, kind: "process-ended", code: 1 }, "process-ended: QEMU ended with code 1 without being asked"],
	[{ at, kind: "process-ended", code: 137 }, "process-ended: QEMU ended by signal 9 without being asked"],
	[{ at, kind: "process-ended", code: null }, "process-ended: QEMU ended without being asked"],
	[
		{ at, kind: "qmp-lost", why: "EPIPE" },
		"qmp-lost: QEMU's monitor closed while its process lives on (EPIPE)",
	],
	[{ at, kind: "disk-error", diskFull: true, text: "ENOSPC" }, full],
	[{ at, kind: "disk-error", diskFull: false, text: "EIO" }, "note: The guest got a disk error: EIO"],
	[{ at, kind: "reset", guest: true, reason: "guest-reset" }, "rebooted"],
	[
		{ at, kind: "reset", guest: false, reason: "host-qmp-system-reset" },
		"note: The guest was reset (host-qmp-system-reset)",
	],
	[{ at, kind: "shutdown", guest: true, reason: "guest-shutdown" }, "ended: The guest shut itself down"],
	[{ at, kind: "shutdown", guest: true, reason: "guest-panic" }, "panic: The guest's kernel panicked"],
	[{ at, kind: "shutdown", guest: true, reason: "guest-reset" }, "rebooted"],
	[
		{ at, kind: "shutdown", guest: false, reason: "host-signal" },
		"unexpected-shutdown: QEMU was told to end by a signal that Bulkhead did not send",
	],
	[
		{ at, kind: "shutdown", guest: false, reason: "host-error" },
		"unexpected-shutdown: QEMU shut the guest down by itself (host-error)",
	],
])("the sign %j", (sign, expected) => {
	expect(line(judgeSign(sign))).toBe(expected);
});

const patience = { boot: 300_000, silence: 20_000 };
const judge = (seen: Partial<Watch>) =>
	line(judgeWatch({ ...beginWatch(0), status: "running", ...seen }, patience));
const silent = "neither its agent nor its services have answered for";

describe("while it boots", () => {
	test.each<[string, Partial<Watch>, string]>([
		["a fresh session", {}, "fine"],
		["just within its deadline", { bootingMs: 299_999 }, "fine"],
		[
			"at its deadline",
			{ bootingMs: 300_000, missing: ["guest agent", "http"] },
			"boot-timeout: The session was not ready after 5 min (not heard: guest agent, http)",
		],
		[
			"silent and with interrupts off, as firmware is",
			{ silenceMs: 60_000, interruptsOffMs: 60_000 },
			"fine",
		],
		["restarted four times", { resets: 4 }, "fine"],
		[
			"restarted five times",
			{ resets: 5 },
			"reset-loop: The guest restarted itself 5 times without becoming ready",
		],
	])("%s", (_, seen, expected) => {
		expect(judge({ phase: "booting", ...seen })).toBe(expected);
	});
});

describe("once it was ready", () => {
	test.each<[string, Partial<Watch>, string]>([
		["heard a moment ago", { silenceMs: 0 }, "fine"],
		["silent within its patience", { silenceMs: 19_999 }, "fine"],
		["silent beyond it", { silenceMs: 20_000 }, `hang: The guest hangs: ${silent} 20.0 s`],
		["silent with interrupts off, not for long yet", { silenceMs: 3000, interruptsOffMs: 1999 }, "fine"],
		["interrupts off, but heard", { silenceMs: 1000, interruptsOffMs: 30_000 }, "fine"],
		[
			"silent with interrupts off",
			{ silenceMs: 1500, interruptsOffMs: 2000 },
			"hang: The guest hangs: interrupts are off on every processor for 2.00 s, and nothing answers",
		],
		["silent beyond it, without an agent", { silenceMs: 600_000, agent: false }, "fine"],
		[
			"silent with interrupts off, without an agent",
			{ silenceMs: 1500, interruptsOffMs: 2000, agent: false },
			"hang: The guest hangs: interrupts are off on every processor for 2.00 s, and nothing answers",
		],
		["a boot that took longer than allowed, but is over", { bootingMs: 900_000 }, "fine"],
		["restarted four times, of which nothing is heard", { resets: 4, readyMs: 30_000 }, "fine"],
		[
			"restarted five times, of which nothing is heard",
			{ resets: 5, readyMs: 30_000 },
			"reset-loop: The guest restarted itself 5 times without running for a minute",
		],
	])("%s", (_, seen, expected) => {
		expect(judge({ phase: "ready", ...seen })).toBe(expected);
	});
});

describe("in whatever phase", () => {
	test.each<[string, Partial<Watch>, string]>([
		["stopped by a signal for a moment", { frozenMs: 999 }, "fine"],
		[
			"stopped by a signal",
			{ frozenMs: 1000 },
			"frozen: QEMU was frozen: its process is stopped by a signal",
		],
		["a slow monitor", { monitorSilenceMs: 9999 }, "fine"],
		["a silent monitor", { monitorSilenceMs: 10_000 }, "frozen: QEMU's monitor has not answered for 10.0 s"],
		["a process that has gone", { process: "ended" }, "process-ended: QEMU ended without being asked"],
		["a process that waits for a disk", { process: "uninterruptible" }, "fine"],
		["a panic that nobody heard of", { status: "guest-panicked" }, "panic: The guest's kernel panicked"],
		[
			"an internal error",
			{ status: "internal-error" },
			"internal-error: QEMU stopped the guest with an internal error",
		],
		["a shutdown that nobody heard of", { status: "shutdown" }, "ended: The guest shut itself down"],
		["a full disk", { status: "io-error" }, full],
		["paused by a person", { status: "paused", pausedMs: 59_999 }, "fine"],
		[
			"left paused",
			{ status: "paused", pausedMs: 60_000 },
			"hang: The guest is paused for 1 min, and nobody lets it go on",
		],
		[
			"left suspended",
			{ status: "suspended", pausedMs: 60_000 },
			"hang: The guest is suspended for 1 min, and nobody lets it go on",
		],
		["a process that waits for a disk for long", { process: "uninterruptible", diskWaitMs: 600_000 }, "fine"],
		["no answer about its status", { status: null }, "fine"],
	])("%s", (_, seen, expected) => {
		expect(judge(seen)).toBe(expected);
		expect(judge({ ...seen, phase: "ready" })).toBe(expected);
	});
});

test.each<[string, Partial<Watch>, string[]]>([
	["nothing", {}, []],
	["a pause of a moment", { status: "paused", pausedMs: 9999 }, []],
	["a pause", { status: "paused", pausedMs: 10_000 }, ["The guest is paused, and nobody has let it go on"]],
	["a short wait for the disk", { diskWaitMs: 2999 }, []],
	["a wait for the disk", { diskWaitMs: 3000 }, ["QEMU waits for the host's disk"]],
	["a TPM that ends with its QEMU", { tpmGoneMs: 500 }, []],
	["a TPM that has ended", { tpmGoneMs: 1500 }, [expect.stringContaining("Its TPM has ended")]],
])("worth a remark: %s", (_, seen, expected) => {
	expect(remarks({ ...beginWatch(0), ...seen })).toEqual(expected);
});

test("many restarts, each of which became ready, are fine", () => {
	const hearing = { agent: true, services: [] };
	let seen = beginWatch(0);
	for (let at = 1000; at <= 9000; at += 1000) {
		const pulse = { process: "runs", status: "running", interrupts: "on", services: {}, starved: 0 } as const;
		seen = observe(
			rebooted(seen, at),
			{ ...pulse, at: at + 900, qmpHeardAt: at, agentHeardAt: at + 800 },
			hearing,
		);
		expect(seen.phase).toBe("ready");
		expect(line(judgeWatch(seen, patience))).toBe("fine");
	}
});

test("a panic is told as such although the guest is silent, too", () => {
	expect(judge({ phase: "ready", status: "guest-panicked", silenceMs: 60_000 })).toMatch(/^panic/);
});

test.each<[string, Partial<Watch>, boolean]>([
	["a panic", { status: "guest-panicked" }, true],
	["an internal error", { status: "internal-error" }, true],
	["a process that has gone", { process: "ended" }, true],
	["a process that is stopped by a signal", { frozenMs: 1000 }, true],
	["a silent monitor", { monitorSilenceMs: 10_000 }, false],
	["a silent guest", { phase: "ready", silenceMs: 20_000 }, false],
	["a silent guest with interrupts off", { phase: "ready", silenceMs: 2000, interruptsOffMs: 2000 }, false],
	["a guest that is left paused", { pausedMs: 60_000 }, false],
	["a boot that does not end", { bootingMs: 300_000 }, false],
	["restarts without end", { resets: 5 }, false],
])("whether nothing goes on after %s", (_, seen, expected) => {
	const watch: Watch = { ...beginWatch(0), status: "running", ...seen };
	const verdict = judgeWatch(watch, patience);
	expect(verdict.kind === "failed" && isFinal(verdict, watch)).toBe(expected);
	expect(verdict.kind).toBe("failed");
});
