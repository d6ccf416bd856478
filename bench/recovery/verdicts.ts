import { styleText } from "node:util";
import type { Verdict } from "./judge.ts";

/** Prints what became of each promise. @returns whether none is broken; one that could not be judged is not */
export function tellVerdicts(verdicts: readonly Verdict[]): boolean {
	for (const { promise, broken } of verdicts) {
		if (broken === undefined) console.log(`  not judged  ${promise}`);
		else if (broken === null) console.log(`  ${styleText("green", "kept")}        ${promise}`);
		else console.log(`  ${styleText("red", "BROKEN")}      ${promise}: ${broken}`);
	}
	return verdicts.every(({ broken }) => broken === null || broken === undefined);
}

/** The same for a result file. */
export function verdictsAsFigures(verdicts: readonly Verdict[]) {
	return verdicts.map(({ promise, broken }) => ({
		promise,
		kept: broken === undefined ? null : broken === null,
		found: broken ?? "",
	}));
}
