import { named } from "../api/named.ts";
import type { Hearing, Pulse } from "./evidence.ts";
import { beginScreenWatch, followScreen, type ScreenWatch, workOf } from "./screens.ts";

/**
 * What has been seen of a session so far, folded from one look after the other. Times count only as far as the guest
 * could have answered: while the host is too busy to let QEMU run, and while nobody looked, patience does not run out.
 */
export interface Watch {
	phase: "booting" | "ready";
	/** When this boot of the guest began, milliseconds since the Unix epoch: older signs of life are of the boot before. */
	since: number;
	/**
	 * How long it has booted without becoming ready. It begins anew when all are back that the server comes after: what it
	 * had tried without them has to be tried again, and that may take as long as the boot. One that comes and goes does not
	 * keep this from running out for ever: its own recoveries have a budget.
	 */
	bootingMs: number;
	/** Restarts by the guest itself since it was last heard when it was ready, or was ready for a minute. */
	resets: number;
	/** How long it has been ready in this boot. */
	readyMs: number;
	/** How long neither the agent nor a service has answered. */
	silenceMs: number;
	/** How long every processor has been seen with interrupts off, without exception. */
	interruptsOffMs: number;
	frozenMs: number;
	monitorSilenceMs: number;
	/** How long the guest has been paused or suspended, by whom is not known. */
	pausedMs: number;
	/** How long QEMU has waited in the host's kernel, mostly for a disk. */
	diskWaitMs: number;
	/** How long its process has run on without its TPM, which ends with it. */
	tpmGoneMs: number;
	/** Whether the server has an agent: without one, the silence of services proves nothing. */
	agent: boolean;
	process: Pulse["process"];
	status: string | null;
	/** What a session has to show to be ready and has not shown yet. */
	missing: readonly string[];
	/** Services that do not answer although the guest does. */
	silentServices: readonly string[];
	/** How long each service has been down while something else was heard. */
	downMs: Readonly<Record<string, number>>;
	/** How long all have been there that the server comes after. */
	completeMs: number;
	screen: ScreenWatch;
	lastLook: number;
}

export function beginWatch(at: number): Watch {
	return {
		phase: "booting",
		since: at,
		bootingMs: 0,
		resets: 0,
		readyMs: 0,
		silenceMs: 0,
		interruptsOffMs: 0,
		frozenMs: 0,
		monitorSilenceMs: 0,
		pausedMs: 0,
		diskWaitMs: 0,
		tpmGoneMs: 0,
		agent: true,
		process: "runs",
		status: null,
		missing: [],
		silentServices: [],
		downMs: {},
		completeMs: 0,
		screen: beginScreenWatch(),
		lastLook: at,
	};
}

/**
 * A kernel that restarts tries several ways one after the other until one works, and a busy host lets it come to the next
 * ones meanwhile: QEMU tells of each as of a restart.
 */
const oneRestartMs = 500;

/** The guest restarted itself: it boots again, in the same session. */
export function rebooted(watch: Watch, at: number): Watch {
	const sameAgain = watch.resets > 0 && Math.abs(at - watch.since) < oneRestartMs;
	if (sameAgain) return { ...watch, phase: "booting", since: at };
	return {
		...beginWatch(at),
		resets: watch.resets + 1,
		bootingMs: watch.phase === "booting" ? watch.bootingMs : 0,
		screen: beginScreenWatch(watch.screen),
	};
}

/** Longer gaps between two looks are the watcher's own delay and count as this much. */
const longestStep = 2000;
/** However busy the host is: patience runs out at last. */
const leastFairShare = 0.1;
/** The front door knows the health of a service after its first checks; later than this it does not know it at all. */
const healthKnownMs = 5000;
/**
 * Of which nothing is heard, counts as ready at once: only when it has run for so long its restarts are over. Firmware, boot
 * loaders and kernels that fail do so within seconds, and whoever restarts a guest by hand lets it come up.
 */
const settledMs = 60_000;
/** A service that has been silent for this long is told as such: one check that fails is not worth a word. */
const silentServiceMs = 3000;

/**
 * Takes in one look.
 * @param complete whether all are there that the server comes after: without them it need not become ready
 */
export function observe(watch: Watch, pulse: Pulse, hearing: Hearing, complete = true): Watch {
	// The system's clock may be set back: then this boot began at the latest now.
	const since = Math.min(watch.since, pulse.at);
	const step = Math.min(Math.max(0, pulse.at - watch.lastLook), longestStep);
	const fair = step * Math.max(leastFairShare, 1 - Math.min(1, Math.max(0, pulse.starved)));
	const heard = heardSince(pulse, watch);
	const services = answering(pulse);
	const missing = missingSigns(pulse, since, hearing);
	const ready = watch.phase === "ready" || missing.length === 0;
	const watchable = hearing.agent || provenOf(hearing).some((name) => isKnown(pulse, name));
	const diskWait = pulse.process === "uninterruptible";
	// A guest that is paused from outside (a debugger, a disk) cannot answer, and does not have to.
	const screen = followScreen(watch.screen, {
		...{ at: pulse.at, screen: pulse.screen, looks: hearing.screen ?? false },
		...{ stepMs: step, fairMs: fair, ready },
		heardAt: newestAnswer(pulse, services),
		// Each of them is asked again within seconds, and has not been late so far.
		mayAnswer: services.length > 0,
	});
	// A Windows at work on itself is silent for as long as that takes, and restarts as often as it likes.
	const works = workOf(screen, pulse.at) !== undefined;
	const running = !diskWait && (pulse.status === null || pulse.status === "running");
	const paused = pulse.status === "paused" || pulse.status === "suspended";
	const interruptsOffMs = pulse.interrupts === "off" ? watch.interruptsOffMs + fair : 0;
	const unheardMs = heard || !watchable || works ? 0 : watch.silenceMs + (running ? fair : 0);
	// Without an agent, what its services do not say while one is away that they need counts only with its processors.
	const silenceMs = complete || hearing.agent ? unheardMs : Math.min(unheardMs, interruptsOffMs);
	const mute = pulse.status === null && pulse.qmpHeardAt <= watch.lastLook && !diskWait;
	const readyMs = ready ? watch.readyMs + (running ? fair : 0) : 0;
	const settled = ready && (heard || readyMs >= settledMs);
	const downMs = ready ? downTimes(watch, pulse, hearing, heard || !hearing.agent ? step : undefined) : {};
	return {
		...watch,
		since,
		phase: ready ? "ready" : "booting",
		bootingMs: ready || !complete || works ? 0 : watch.bootingMs + (running ? fair : 0),
		resets: settled || works ? 0 : watch.resets,
		readyMs,
		silenceMs,
		interruptsOffMs,
		frozenMs: pulse.process === "frozen" ? watch.frozenMs + step : 0,
		monitorSilenceMs: mute ? watch.monitorSilenceMs + fair : 0,
		pausedMs: paused ? watch.pausedMs + step : 0,
		diskWaitMs: diskWait ? watch.diskWaitMs + step : 0,
		tpmGoneMs: pulse.tpmGone && pulse.process !== "ended" ? watch.tpmGoneMs + step : 0,
		agent: hearing.agent,
		process: pulse.process,
		status: pulse.status,
		missing,
		downMs,
		completeMs: complete ? watch.completeMs + step : 0,
		silentServices: hearing.services.filter((name) => (named(downMs, name) ?? 0) >= silentServiceMs),
		screen,
		lastLook: pulse.at,
	};
}

/** @param step undefined when nothing at all is heard of a server with an agent: nothing is learned of its services then */
function downTimes(
	watch: Watch,
	pulse: Pulse,
	{ services }: Hearing,
	step: number | undefined,
): Watch["downMs"] {
	if (step === undefined) return watch.downMs;
	const down = (name: string) =>
		named(pulse.services, name) === "down" ? (named(watch.downMs, name) ?? 0) + step : 0;
	return Object.fromEntries(services.map((name) => [name, down(name)]));
}

function heardSince(pulse: Pulse, watch: Watch): boolean {
	const { agentHeardAt, at } = pulse;
	const agent = agentHeardAt !== null && agentHeardAt > watch.lastLook && agentHeardAt <= at;
	// A check that takes its time is no silence: when it fails it says so.
	return agent || Object.values(pulse.services).includes("up");
}

/** Services that answer as far as anybody can know: one that is asked and lets it wait is up only by an answer of before. */
function answering({ services, answers }: Pulse): string[] {
	return Object.keys(services).filter((name) => services[name] === "up" && !answers?.[name]?.late);
}

/** @returns the latest moment at which anything of the guest's has answered for certain, milliseconds since the Unix epoch */
function newestAnswer({ at, agentHeardAt, answers }: Pulse, services: readonly string[]): number {
	const agent = agentHeardAt !== null && agentHeardAt <= at ? [agentHeardAt] : [];
	return Math.max(0, ...agent, ...services.map((name) => at - (answers?.[name]?.ageMs ?? 0)));
}

function missingSigns(pulse: Pulse, since: number, hearing: Hearing): string[] {
	const agent = pulse.agentHeardAt !== null && pulse.agentHeardAt > since;
	// A front door that is not there or mute says nothing about the guest.
	const early = pulse.at - since < healthKnownMs;
	const services = provenOf(hearing).filter(
		(name) => pulse.services[name] !== "up" && (early || isKnown(pulse, name)),
	);
	return [...(hearing.agent && !agent ? ["guest agent"] : []), ...services];
}

/** Services whose silence means something. */
function provenOf({ services, unproven = [] }: Hearing): readonly string[] {
	return services.filter((name) => !unproven.includes(name));
}

function isKnown(pulse: Pulse, service: string): boolean {
	return (named(pulse.services, service) ?? "unknown") !== "unknown";
}
