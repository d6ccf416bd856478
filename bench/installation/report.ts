import type { Verdict } from "../recovery/judge.ts";
import type { Step } from "./installer.ts";
import type { Panicked } from "./panics.ts";

export interface Found {
	/** Undefined when it began with the disk of an earlier installation. */
	installed: { steps: Step[]; seconds: number; reached: { proxy: boolean; other: boolean } } | undefined;
	/** Kernel command line, system, kernel, boot time, packages and bytes on its disk, as it says. */
	facts: string[];
	/** Whether its page was shown. */
	shown: boolean;
	/** From the start of the prepared copy until it was sealed and a session stood by. */
	sealedSeconds: number;
	reseeded: boolean;
	cold: { panics: Panicked[]; file: boolean };
	warm: { panics: Panicked[]; file: boolean };
}

const mostMinutes = 40;
const longestWarmMs = 2000;

export function verdictsOf({ installed, facts, shown, cold, warm, reseeded }: Found): Verdict[] {
	const failed = (panics: readonly Panicked[]) => panics.reduce((sum, one) => sum + one.failed, 0);
	const kept = (ok: boolean, why: string) => (ok ? null : why);
	// Its outage ends when all of it answers again, its agent and its other services too.
	const worst = Math.max(0, ...warm.panics.map(({ longestPauseMs }) => longestPauseMs));
	return [
		{
			promise: `it is installed within ${mostMinutes} minutes`,
			broken: installed && kept(installed.seconds <= mostMinutes * 60, `${installed.seconds} s`),
		},
		{
			promise: "it reaches the proxy, and nothing beside it",
			broken:
				installed &&
				kept(installed.reached.proxy && !installed.reached.other, JSON.stringify(installed.reached)),
		},
		{
			promise: "it boots by its own boot loader",
			broken: kept((facts[0] ?? "").startsWith("BOOT_IMAGE=/"), facts[0] ?? "nothing"),
		},
		{ promise: "its page is published, and answers", broken: kept(shown, "another page") },
		{ promise: "cold: what was written before the panic is there", broken: kept(cold.file, "it is not") },
		{
			promise: "cold: nobody who asked for the page was refused",
			broken: kept(failed(cold.panics) === 0, `${failed(cold.panics)} failed`),
		},
		{ promise: "warm: what was written to the data disk is there", broken: kept(warm.file, "it is not") },
		{
			promise: "warm: no GET failed",
			broken: kept(failed(warm.panics) === 0, `${failed(warm.panics)} failed`),
		},
		{
			promise: `warm: nobody who asked for the page waited longer than ${longestWarmMs} ms`,
			broken: kept(worst <= longestWarmMs, `${worst} ms`),
		},
		{
			promise: "warm: each session has random numbers of its own",
			broken: kept(reseeded, "the kernel does not say so"),
		},
	];
}

export function table({ installed, cold, warm, sealedSeconds }: Found): string {
	const steps = installed?.steps ?? [];
	const lines = steps.map(({ name, atSeconds }, i) => {
		const took = (steps[i + 1]?.atSeconds ?? atSeconds) - atSeconds;
		return `  ${`${atSeconds} s`.padStart(8)}  ${`${took} s`.padStart(8)}  ${name}`;
	});
	const panic = (mode: string) => (one: Panicked) =>
		`  ${mode}  ${`${one.outageMs} ms`.padStart(10)}  ${`${one.longestPauseMs} ms`.padStart(10)}  ${String(one.requests).padStart(8)}  ${String(one.failed).padStart(6)}`;
	return [
		...(lines.length > 0 ? ["     since      took  step", ...lines, ""] : []),
		`  sealed and standing by after ${sealedSeconds} s`,
		"",
		"  panic     outage  longest wait  requests  failed",
		...cold.panics.map(panic("cold")),
		...warm.panics.map(panic("warm")),
		"",
	].join("\n");
}
