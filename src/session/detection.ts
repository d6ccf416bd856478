import type { Cause } from "../api/incident.ts";
import type { BlueScreen } from "../api/screen.ts";
import { formatDuration } from "../api/units.ts";
import { blueScreenWords, crashDetails, crashWords, type Stop } from "./crash.ts";
import type { Sign } from "./evidence.ts";
import { restedMs, workOf } from "./screens.ts";
import type { Watch } from "./watch.ts";

/** What follows from evidence. */
export type Verdict =
	| { kind: "fine" }
	/** Worth telling, nothing to do. */
	| { kind: "note"; text: string }
	/** The guest restarted itself within its session. */
	| { kind: "rebooted" }
	/** The host's disk is full; the guest waits. */
	| { kind: "disk-full"; text: string }
	/** The guest shut itself down: no failure. */
	| { kind: "ended"; text: string }
	/**
	 * `forMs`: how long it has already been so, milliseconds; left out for what has just happened.
	 * `details`: what the guest said of it. `stop`: of a Windows that crashed, where that is known. `restarted`: the guest
	 * boots again already, within its session.
	 */
	| {
			kind: "failed";
			cause: Cause;
			summary: string;
			forMs?: number;
			details?: Record<string, string>;
			stop?: Stop;
			restarted?: true;
	  };

export type Failure = Extract<Verdict, { kind: "failed" }>;

/** Causes after which nothing of a guest goes on. */
const final: readonly Cause[] = [
	...(["panic", "process-ended", "qmp-lost", "unexpected-shutdown", "internal-error"] as const),
];

/** Limits in milliseconds of un-starved time, see Watch. */
export interface Patience {
	boot: number;
	silence: number;
}

/**
 * Interrupts off on every processor, nothing heard: proven, so there is no need to wait as long. Only for a guest that
 * had been ready: firmware and early kernels run with interrupts off for a good while.
 */
const provenHang = { silenceMs: 1500, interruptsOffMs: 2000 };
const frozenMs = 1000;
const monitorSilenceMs = 10_000;
/** So long a blue screen has to stand, over two looks at least: a picture that somebody shows for a moment is no crash. */
const blueScreenMs = 3000;
/** A hang is proven sooner than the screen is looked at again, and may turn out to be a crash then. */
const screenWithinMs = 5000;
/** In all, until Windows has rested, see ScreenWatch. The largest updates restart a handful of times. */
const mostWork = { ms: 7_200_000, restarts: 20 };
const resetsWithoutReady = 5;
const paused = { toldMs: 10_000, failedMs: 60_000 };
const diskWaitToldMs = 3000;
/** It ends with QEMU, and may be seen to be gone before that is. */
const tpmToldMs = 1500;

const fine: Verdict = { kind: "fine" };
export const diskFull = {
	kind: "disk-full",
	text: "The host's disk is full: the guest waits, and goes on as soon as there is room",
} as const satisfies Verdict;
const failed = (cause: Cause, summary: string, forMs?: number): Failure => ({
	...{ kind: "failed", cause, summary },
	...(forMs === undefined ? {} : { forMs }),
});

/** @param details what else was said of it */
export function crashed(stop: Stop | undefined, details: Record<string, string> = {}): Failure {
	const said = { ...(stop ? crashDetails(stop) : {}), ...details };
	return { kind: "failed", cause: "panic", summary: crashWords(stop), details: said, ...(stop && { stop }) };
}

/**
 * Whether a failure proves that nothing of its guest goes on. One that is silent, restarts or takes long may be at work
 * still, as a guest is that has ended its agent and writes its data down before it shuts down; QEMU's monitor may be
 * silent because of the host's disk.
 */
export function isFinal({ cause }: Failure, watch: Pick<Watch, "frozenMs">): boolean {
	return final.includes(cause) || (cause === "frozen" && watch.frozenMs >= frozenMs);
}

/** Judges what the process itself said. */
export function judgeSign(sign: Sign): Verdict {
	switch (sign.kind) {
		case "panicked":
			return crashed(sign.stop, sign.details);
		case "process-ended":
			return failed("process-ended", `QEMU ended${endedHow(sign.code)} without being asked`);
		case "qmp-lost":
			return failed("qmp-lost", `QEMU's monitor closed while its process lives on (${sign.why})`);
		case "disk-error":
			return sign.diskFull ? diskFull : { kind: "note", text: `The guest got a disk error: ${sign.text}` };
		case "reset":
			return sign.guest
				? { kind: "rebooted" }
				: { kind: "note", text: `The guest was reset (${sign.reason})` };
		case "shutdown":
			return judgeShutdown(sign.guest, sign.reason);
		default:
			return sign satisfies never;
	}
}

/** Reasons are QEMU's ShutdownCause, qapi/run-state.json. */
function judgeShutdown(guest: boolean, reason: string): Verdict {
	if (reason === "guest-panic") return crashed(undefined);
	if (reason === "guest-reset") return { kind: "rebooted" };
	if (guest) return { kind: "ended", text: "The guest shut itself down" };
	if (reason === "host-signal")
		return failed("unexpected-shutdown", "QEMU was told to end by a signal that Bulkhead did not send");
	return failed("unexpected-shutdown", `QEMU shut the guest down by itself (${reason})`);
}

function endedHow(code: number | null): string {
	if (code === null) return "";
	return code > 128 ? ` by signal ${code - 128}` : ` with code ${code}`;
}

/** Judges what was seen, and not seen, over time. */
export function judgeWatch(watch: Watch, patience: Patience): Verdict {
	return (
		judgeStatus(watch) ??
		judgeProcess(watch) ??
		judgeScreen(watch) ??
		judgeRestarts(watch) ??
		judgeBoot(watch, patience) ??
		judgeSilence(watch, patience) ??
		fine
	);
}

/** What lasts and is worth telling, as long as it lasts. */
export function remarks(watch: Watch): string[] {
	const work = workOf(watch.screen, watch.lastLook);
	return [
		...(work ? [`Windows ${work}: it is not expected to answer meanwhile`] : []),
		...(watch.pausedMs >= paused.toldMs ? [`The guest is ${watch.status}, and nobody has let it go on`] : []),
		...(isTpmGone(watch)
			? [
					"Its TPM has ended: what the guest keeps there (BitLocker, keys) cannot be had until its next session",
				]
			: []),
		...(watch.diskWaitMs >= diskWaitToldMs ? ["QEMU waits for the host's disk"] : []),
	];
}

/** Whether its TPM has ended before its session, which goes on: most guests ask it when they start, and little later. */
export function isTpmGone({ tpmGoneMs }: Watch): boolean {
	return tpmGoneMs >= tpmToldMs;
}

/** States that were entered before anybody listened: the sign itself was missed. */
function judgeStatus({ status }: Watch): Verdict | undefined {
	switch (status) {
		case "guest-panicked":
			return crashed(undefined);
		case "internal-error":
			return failed("internal-error", "QEMU stopped the guest with an internal error");
		case "shutdown":
			return { kind: "ended", text: "The guest shut itself down" };
		case "io-error":
			return diskFull;
		default:
			return undefined;
	}
}

function judgeProcess(watch: Watch): Verdict | undefined {
	if (watch.process === "ended") return failed("process-ended", "QEMU ended without being asked");
	if (watch.frozenMs >= frozenMs)
		return failed("frozen", "QEMU was frozen: its process is stopped by a signal", watch.frozenMs);
	if (watch.monitorSilenceMs >= monitorSilenceMs) {
		return failed(
			"frozen",
			`QEMU's monitor has not answered for ${formatDuration(watch.monitorSilenceMs)}`,
			watch.monitorSilenceMs,
		);
	}
	return judgePause(watch);
}

/** Nobody of ours pauses a guest: a debugger has left it so, or it sleeps and nothing wakes it. */
function judgePause({ pausedMs, status }: Watch): Verdict | undefined {
	if (pausedMs < paused.failedMs) return undefined;
	const lasted = formatDuration(pausedMs);
	return failed("hang", `The guest is ${status} for ${lasted}, and nobody lets it go on`, pausedMs);
}

function judgeScreen(watch: Watch): Verdict | undefined {
	const { blue, blueMs, blueForMs, awaitsAnswer } = watch.screen;
	if (blue && blueMs >= blueScreenMs && !awaitsAnswer && isCertain(blue, watch))
		return blueScreen(blue, blueForMs);
	return judgeWork(watch);
}

/** Of one that answers it is not said that it works: it is left alone, whatever its screen shows. */
function judgeWork({ screen, phase }: Watch): Verdict | undefined {
	const { work, workMs, workRestarts } = screen;
	if (!work) return undefined;
	if (workRestarts >= mostWork.restarts) {
		const words = `Windows ${work} again and again: it has restarted itself ${workRestarts} times, and was never done for ${formatDuration(restedMs)}`;
		return failed("reset-loop", words, workMs);
	}
	if (workMs < mostWork.ms) return undefined;
	const over = workRestarts > 1 ? `, over ${workRestarts} restarts,` : "";
	const words = `Windows ${work} for ${formatDuration(workMs)}${over} and is not done`;
	return failed(phase === "booting" ? "boot-timeout" : "hang", words, workMs);
}

/** Notices and kiosks have large lines above small ones, too: those count with a dump that goes on, or processors that stand. */
function isCertain({ faceless, dump }: BlueScreen, { interruptsOffMs }: Watch): boolean {
	return !faceless || dump === "writing" || interruptsOffMs >= provenHang.interruptsOffMs;
}

function blueScreen(blue: BlueScreen, forMs: number): Failure {
	return { ...crashed(blue.stop), summary: blueScreenWords(blue), forMs };
}

/** @returns the crash that a restart of the guest came from, as far as its screen has told of one */
export function crashBeforeRestart(watch: Watch): Failure | undefined {
	const { blue } = watch.screen;
	if (!blue || !isCertain(blue, watch)) return undefined;
	const { forMs: _, ...crash } = blueScreen(blue, 0);
	return { ...crash, summary: `${crash.summary}; it restarts by itself`, restarted: true };
}

/** What counts as ready because nothing can be heard of it may be in a loop, too. */
function judgeRestarts({ phase, resets }: Watch): Verdict | undefined {
	if (resets < resetsWithoutReady) return undefined;
	const without = phase === "ready" ? "running for a minute" : "becoming ready";
	return failed("reset-loop", `The guest restarted itself ${resets} times without ${without}`);
}

function judgeBoot(watch: Watch, patience: Patience): Verdict | undefined {
	if (watch.phase !== "booting") return undefined;
	if (watch.bootingMs < patience.boot) return undefined;
	return failed(
		"boot-timeout",
		`The session was not ready after ${formatDuration(watch.bootingMs)} (${missing(watch)})`,
	);
}

function missing(watch: Watch): string {
	return watch.missing.length > 0 ? `not heard: ${watch.missing.join(", ")}` : "nothing to hear";
}

function judgeSilence(watch: Watch, patience: Patience): Verdict | undefined {
	const { silenceMs, interruptsOffMs, phase } = watch;
	if (phase !== "ready" || workOf(watch.screen, watch.lastLook)) return undefined;
	if (silenceMs >= provenHang.silenceMs && interruptsOffMs >= provenHang.interruptsOffMs) {
		// With all that, one look at it is enough.
		const { blue, blueForMs } = watch.screen;
		if (blue) return blueScreen(blue, blueForMs);
		if (awaitsScreen(watch)) return undefined;
		const off = formatDuration(interruptsOffMs);
		return failed(
			"hang",
			`The guest hangs: interrupts are off on every processor for ${off}, and nothing answers`,
			silenceMs,
		);
	}
	// A server without an agent is heard by its services alone, and they are silent during updates, too.
	if (watch.agent && silenceMs >= patience.silence) {
		const silent = formatDuration(silenceMs);
		return failed(
			"hang",
			`The guest hangs: neither its agent nor its services have answered for ${silent}`,
			silenceMs,
		);
	}
	return undefined;
}

/** Whether the screen was not looked at since the guest fell silent, and will be soon. */
function awaitsScreen({ screen, silenceMs, lastLook }: Watch): boolean {
	if (!screen.looks || silenceMs >= provenHang.silenceMs + screenWithinMs) return false;
	return screen.at <= lastLook - silenceMs;
}
