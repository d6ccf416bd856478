import type { Hearing, Pulse } from "./evidence.ts";

/**
 * What has been seen of a session so far, folded from one look after the other. Times count only as far as the guest
 * could have answered: while the host is too busy to let QEMU run, and while nobody looked, patience does not run out.
 */
export interface Watch {
	phase: "booting" | "ready";
	/** When this boot of the guest began, milliseconds since the Unix epoch: older signs of life are of the boot before. */
	since: number;
	bootingMs: number;
	/** Restarts by the guest itself since it was last ready. */
	resets: number;
	/** How long neither the agent nor a service has answered. */
	silenceMs: number;
	/** How long every processor has been seen with interrupts off, without exception. */
	interruptsOffMs: number;
	frozenMs: number;
	monitorSilenceMs: number;
	process: Pulse["process"];
	status: string | null;
	/** What a session has to show to be ready and has not shown yet. */
	missing: readonly string[];
	/** Services that do not answer although the guest does. */
	silentServices: readonly string[];
	lastLook: number;
}

export function beginWatch(at: number): Watch {
	return {
		phase: "booting",
		since: at,
		bootingMs: 0,
		resets: 0,
		silenceMs: 0,
		interruptsOffMs: 0,
		frozenMs: 0,
		monitorSilenceMs: 0,
		process: "runs",
		status: null,
		missing: [],
		silentServices: [],
		lastLook: at,
	};
}

/** The guest restarted itself: it boots again, in the same session. */
export function rebooted(watch: Watch, at: number): Watch {
	return {
		...beginWatch(at),
		resets: watch.resets + 1,
		bootingMs: watch.phase === "booting" ? watch.bootingMs : 0,
	};
}

/** Longer gaps between two looks are the watcher's own delay and count as this much. */
const longestStep = 2000;

/** Takes in one look. */
export function observe(watch: Watch, pulse: Pulse, hearing: Hearing): Watch {
	// The system's clock may be set back: then this boot began at the latest now.
	const since = Math.min(watch.since, pulse.at);
	const step = Math.min(Math.max(0, pulse.at - watch.lastLook), longestStep);
	const fair = step * (1 - Math.min(1, Math.max(0, pulse.starved)));
	const heard = heardSince(pulse, watch);
	const missing = missingSigns(pulse, since, hearing);
	const ready = watch.phase === "ready" || missing.length === 0;
	const watchable = hearing.agent || hearing.services.length > 0;
	// A guest that is paused from outside (a debugger, a full disk) cannot answer, and does not have to.
	const running = pulse.status === null || pulse.status === "running";
	return {
		...watch,
		since,
		phase: ready ? "ready" : "booting",
		bootingMs: ready ? 0 : watch.bootingMs + (running ? fair : 0),
		resets: ready ? 0 : watch.resets,
		silenceMs: heard || !watchable ? 0 : watch.silenceMs + (running ? fair : 0),
		interruptsOffMs: pulse.interrupts === "off" ? watch.interruptsOffMs + fair : 0,
		frozenMs: pulse.process === "frozen" ? watch.frozenMs + step : 0,
		monitorSilenceMs:
			pulse.qmpHeardAt > watch.lastLook || pulse.status !== null ? 0 : watch.monitorSilenceMs + fair,
		process: pulse.process,
		status: pulse.status,
		missing,
		silentServices: ready ? silentOf(watch, pulse, hearing, heard) : [],
		lastLook: pulse.at,
	};
}

/** When nothing at all is heard, nothing is learned about single services. */
function silentOf(watch: Watch, pulse: Pulse, hearing: Hearing, heard: boolean): readonly string[] {
	return heard ? hearing.services.filter((name) => pulse.services[name] === "down") : watch.silentServices;
}

function heardSince(pulse: Pulse, watch: Watch): boolean {
	const { agentHeardAt, at } = pulse;
	const agent = agentHeardAt !== null && agentHeardAt > watch.lastLook && agentHeardAt <= at;
	return agent || Object.values(pulse.services).includes("up");
}

function missingSigns(pulse: Pulse, since: number, hearing: Hearing): string[] {
	const agent = pulse.agentHeardAt !== null && pulse.agentHeardAt > since;
	const services = hearing.services.filter((name) => pulse.services[name] !== "up");
	return [...(hearing.agent && !agent ? ["guest agent"] : []), ...services];
}
