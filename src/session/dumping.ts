import type { BlueScreen, Seen } from "../api/screen.ts";
import { formatDuration } from "../api/units.ts";

/**
 * What a crashed guest that was let run on makes of its time, folded from one look at its screen after the other. Pure.
 */
export interface Dumping {
	/** What it was last seen to do. */
	does: "writes" | "is-done" | "nothing" | "stands" | "unknown";
	/** How far it said it was, where it says so. */
	percent: number | undefined;
	/** How long it has been seen to do that and to be there, milliseconds. */
	forMs: number;
	lastLook: number;
}

/** What is told of it: the screen stands for a moment after the last byte is written. */
const doneMs = 3000;
const nothingMs = 30_000;
const standsStillMs = 180_000;
/** Longer gaps between two looks are the watcher's own delay and count as this much. */
const longestStep = 5000;

export function beginDumping(at: number): Dumping {
	return { does: "unknown", percent: undefined, forMs: 0, lastLook: at };
}

/** @param screen left out when it was not looked at this time */
export function followDumping(before: Dumping, at: number, screen: Seen | undefined): Dumping {
	const step = Math.min(Math.max(0, at - before.lastLook), longestStep);
	const { does, percent } = screen ? readScreen(screen) : before;
	const same = does === before.does && percent === before.percent;
	return { does, percent, forMs: same ? before.forMs + step : 0, lastLook: at };
}

function readScreen(screen: Seen): Pick<Dumping, "does" | "percent"> {
	const none = { percent: undefined };
	// A Linux that has panicked and does not restart stands like this for ever.
	if (screen.kind === "linux-panic") return { ...none, does: "nothing" };
	if (screen.kind !== "blue-screen") return { ...none, does: "unknown" };
	switch (screen.dump) {
		case "writing":
			return { does: "writes", percent: screen.percent };
		case "done":
			return { ...none, does: "is-done" };
		case "none":
			return { ...none, does: "nothing" };
		case "unknown":
			// Of newer screens it is seen that their percentage changes, whatever it says.
			return { ...none, does: isNewer(screen) ? "stands" : "unknown" };
		default:
			return screen.dump satisfies never;
	}
}

function isNewer({ era }: BlueScreen): boolean {
	return era === "8-to-10" || era === "11";
}

/** @returns why there is nothing more to wait for, in words; undefined while there is */
export function dumpingIsOver({ does, percent, forMs }: Dumping): string | undefined {
	if (does === "is-done" && forMs >= doneMs) return "the guest's screen says that its dump is written";
	if (does === "nothing" && forMs >= nothingMs)
		return `the guest's screen has said nothing of a dump for ${formatDuration(forMs)}`;
	if (does === "writes" && percent !== undefined && forMs >= standsStillMs)
		return `the guest's dump has stood at ${percent} % for ${formatDuration(forMs)}`;
	if (does === "stands" && forMs >= standsStillMs)
		return `nothing has changed on the guest's blue screen for ${formatDuration(forMs)}`;
	return undefined;
}
