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
	/** When it came, or was seen with something heard since the look before; 0 when none stands there. */
	blueAt: number;
	/** Whether it is to be seen yet if something of the guest still answers that did before it came. */
	awaitsAnswer: boolean;
	/** How long that was seen to stand, from the first look to the last, milliseconds of un-starved time. */
	blueMs: number;
	/** The same up to now. */
	blueForMs: number;
	/** What Windows was seen at work on at the last look, as in "installs updates", while nothing of it answered. */
	work: string | undefined;
	/** How long Windows has been seen at work on itself since it last rested, over all its restarts, milliseconds. */
	workMs: number;
	/** How often it has restarted itself after it was seen at work, since it last rested. */
	workRestarts: number;
	/** Whether it was seen at work since this boot began, or since it last rested. */
	worked: boolean;
	/** How long it has been ready and not at work, without a break, milliseconds. */
	restMs: number;
}

/** What Windows does that is not to be disturbed. */
const works = {
	updating: "installs updates",
	"checking-disk": "checks its disk",
} as const satisfies Partial<Record<Seen["kind"], string>>;

/**
 * So long Windows has to be ready without any work until what it did before is over. One that installs, restarts and installs
 * again is ready in between for as long as it takes to see its logo, where nothing but its screen tells of it.
 */
export const restedMs = 600_000;

/** Older than this, a look or an answer says nothing of now. */
const staleMs = 15_000;

const noBlue = { blue: undefined, blueAt: 0, awaitsAnswer: false, blueMs: 0, blueForMs: 0 };

const noWork = { workMs: 0, workRestarts: 0, worked: false };

/** @param before of the boot before */
export function beginScreenWatch(before: Pick<ScreenWatch, keyof typeof noWork> = noWork): ScreenWatch {
	return {
		...{ looks: false, seen: undefined, at: 0, ...noBlue, work: undefined, worked: false, restMs: 0 },
		workMs: before.workMs,
		workRestarts: before.workRestarts + (before.worked ? 1 : 0),
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
	/** The latest moment at which any of them has answered for certain; 0 when that is not known. */
	heardAt: number;
	/** Whether there are services that may answer still, as the last that was known of them was good. */
	mayAnswer: boolean;
	ready: boolean;
}

export function followScreen(before: ScreenWatch, step: Step): ScreenWatch {
	const { at, screen } = step;
	const seen = screen ?? before.seen;
	const now = { ...before, looks: step.looks, seen, at: screen ? at : before.at };
	// A server that answers is not at work, whatever its screen shows: no time runs against it.
	const answers = step.heardAt > 0 && at - step.heardAt <= staleMs;
	const work = answers && step.ready ? undefined : workOf(now, at);
	const restMs = step.ready && !work ? before.restMs + step.stepMs : 0;
	const done = restMs < restedMs ? followWork(before, work, step) : noWork;
	return { ...now, ...followBlue(before, step), ...done, work, restMs };
}

function followWork(
	{ workMs, workRestarts, worked }: ScreenWatch,
	work: string | undefined,
	{ stepMs }: Step,
) {
	return work ? { workMs: workMs + stepMs, workRestarts, worked: true } : { workMs, workRestarts, worked };
}

/**
 * A blue screen of a guest that answers is a picture that somebody shows. Only what is newer than the screen counts as an
 * answer: that services were well a moment ago is known of a guest that has just crashed, too.
 */
function followBlue(
	before: ScreenWatch,
	{ at, screen, fairMs, heardAt, mayAnswer }: Step,
): Pick<ScreenWatch, keyof typeof noBlue> {
	if (screen && screen.kind !== "blue-screen") return noBlue;
	// The system's clock may be set back.
	const blueAt = Math.min(before.blueAt, at);
	if (blueAt > 0 && heardAt > blueAt) return { ...noBlue, blueAt: screen ? at : blueAt };
	if (!screen && !before.blue) return { ...noBlue, blueAt };
	const stays = { blueAt: blueAt || at, awaitsAnswer: mayAnswer };
	return { ...stays, ...standing(before, screen, fairMs) };
}

/** @param screen left out when it was not looked at this time */
function standing(
	{ blue, blueMs, blueForMs }: ScreenWatch,
	screen: BlueScreen | undefined,
	fairMs: number,
): Pick<ScreenWatch, "blue" | "blueMs" | "blueForMs"> {
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
