import { styleText } from "node:util";
import type { Verdict } from "./judge.ts";

/** Prints what became of each promise. @returns false when one is broken */
export function printVerdicts(verdicts: readonly Verdict[]): boolean {
	for (const { promise, broken } of verdicts) {
		if (broken === undefined) console.log(`  not judged  ${promise}`);
		else if (broken === null) console.log(`  ${styleText("green", "kept")}        ${promise}`);
		else console.log(`  ${styleText("red", "BROKEN")}      ${promise}: ${broken}`);
	}
	return verdicts.every(({ broken }) => broken === null || broken === undefined);
}

/** The same for a file: `kept` is null for what was not judged. */
export function verdictsForFile(verdicts: readonly Verdict[]) {
	return verdicts.map(({ promise, broken }) => ({
		promise,
		kept: broken === undefined ? null : broken === null,
		found: broken ?? "",
	}));
}
