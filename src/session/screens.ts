import type { BlueScreen, Seen } from "../api/screen.ts";

/** What has been seen on a session's screen, folded from one look after the other. Pure. */
export interface ScreenWatch {
	/** Whether it is looked at at all. */
	looks: boolean;
	/** As it was seen last. */
	seen: Seen | undefined;
	/** When that was, milliseconds since the Unix epoch; 0 when it was not looked at in this boot. */
	at: number;
	/** The blue screen that stands there, with nothing else seen or heard since it came. */
	blue: BlueScreen | undefined;
	/** How long that was seen to stand, from the first look to the last, milliseconds of un-starved time. */
	blueMs: number;
	/** The same up to now. */
	blueForMs: number;
	/** How long Windows has been seen at work on itself since it was last ready, over all its restarts, milliseconds. */
	workMs: number;
}

/** What Windows does that is not to be disturbed. */
const works = {
	updating: "installs updates",
	"checking-disk": "checks its disk",
} as const satisfies Partial<Record<Seen["kind"], string>>;

/** Older than this, a look says nothing of now. */
const staleMs = 15_000;

/** @param workMs of the boot before */
export function beginScreenWatch(workMs = 0): ScreenWatch {
	return {
		...{ looks: false, seen: undefined, at: 0, blue: undefined, blueMs: 0, blueForMs: 0 },
		workMs,
	};
}

interface Step {
	at: number;
	/** Left out when it was not looked at this time. */
	screen: Seen | undefined;
	looks: boolean;
	/** Time since the look before, and as much of it as the guest could have used. */
	stepMs: number;
	fairMs: number;
	/** Whether agent or services have answered since the look before. */
	heard: boolean;
	ready: boolean;
}

export function followScreen(before: ScreenWatch, step: Step): ScreenWatch {
	const { at, screen } = step;
	const seen = screen ?? before.seen;
	const now = { ...before, looks: step.looks, seen, at: screen ? at : before.at };
	// A server that answers is not at work, whatever its screen shows: no time runs against it.
	const work = step.heard && step.ready ? undefined : workOf(now, at);
	const workMs = work ? before.workMs + step.stepMs : before.workMs;
	return { ...now, ...followBlue(before, step), workMs: step.ready && !work ? 0 : workMs };
}

/** A blue screen of a guest that answers is a picture that somebody shows. */
function followBlue(
	{ blue, blueMs, blueForMs }: ScreenWatch,
	{ screen, fairMs, heard }: Step,
): Pick<ScreenWatch, "blue" | "blueMs" | "blueForMs"> {
	if (heard || (screen && screen.kind !== "blue-screen")) return { blue: undefined, blueMs: 0, blueForMs: 0 };
	const lasted = blue ? blueForMs + fairMs : 0;
	if (!screen) return { blue, blueMs, blueForMs: lasted };
	// What could be read of it once is not forgotten when the next picture is worse.
	const stop = screen.stop ?? blue?.stop;
	// Nor that it moved: a percentage stands still between two looks now and then.
	const dump =
		screen.dump === "unknown" && blue?.dump === "writing" && screen.faceless ? "writing" : screen.dump;
	return { blue: { ...screen, dump, ...(stop && { stop }) }, blueMs: lasted, blueForMs: lasted };
}

/** Whether Windows is seen to install updates. */
export function isUpdating({ screen, lastLook }: { screen: ScreenWatch; lastLook: number }): boolean {
	return screen.seen?.kind === "updating" && workOf(screen, lastLook) !== undefined;
}

/** @returns what Windows is seen to do that takes its time, as in "installs updates"; undefined when it does nothing of that kind */
export function workOf({ seen, at }: Pick<ScreenWatch, "seen" | "at">, now: number): string | undefined {
	const kind = seen?.kind;
	if (kind !== "updating" && kind !== "checking-disk") return undefined;
	return now - at <= staleMs ? works[kind] : undefined;
}
