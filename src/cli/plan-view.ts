import type { Change, Plan } from "../api/plan.ts";
import { plural } from "./server-view.ts";
import { type Line, type Style, type Styled, styled } from "./terminal.ts";
import { pad, widthOf } from "./width.ts";

const kinds = {
	create: { sign: "+", word: "created", style: "green" },
	change: { sign: "~", word: "changed", style: "yellow" },
	delete: { sign: "-", word: "deleted", style: "red" },
	same: { sign: "=", word: "unchanged", style: "dim" },
} as const satisfies Record<Change["kind"], { sign: string; word: string; style: Style }>;

/**
 * True when applying the plan would change nothing. Without any server that cannot be told from here: applying an empty
 * site takes away what is left of an earlier one, so it is always done.
 */
export function isEmpty(plan: Plan): boolean {
	if (plan.changes.length === 0 || plan.segments.length > 0 || plan.destructive) return false;
	return plan.changes.every((change) => change.kind === "same");
}

/** What applying the plan would do, the changes before what stays. */
export function planLines(plan: Plan): Line[] {
	const changes = plan.changes.filter((change) => change.kind !== "same");
	const same = plan.changes.length - changes.length;
	const width = Math.max(0, ...changes.map((change) => widthOf(change.server)));
	return [
		[styled(`Site ${plan.site}`, "bold"), `: ${tally(plan)}`],
		[],
		...plan.segments.map(segmentLine),
		...changes.flatMap((change) => changeLines(change, width)),
		...(same > 0 ? [[styled(`  = ${plural(same, "server")} unchanged`, "dim")]] : []),
	];
}

function tally(plan: Plan): string {
	const count = (kind: Change["kind"]) => plan.changes.filter((change) => change.kind === kind).length;
	return `${count("create")} to create, ${count("change")} to change, ${count("delete")} to delete`;
}

function segmentLine(difference: string): Line {
	const style = difference.startsWith("+") ? "green" : difference.startsWith("-") ? "red" : "yellow";
	return [styled(`  ${difference.slice(0, 1)} `, style, "bold"), `segment ${difference.slice(2)}`];
}

function changeLines(change: Change, width: number): Line[] {
	const { sign, word, style } = kinds[change.kind];
	const later = change.restartNeeded ? "; takes effect with its next session" : "";
	return [
		[styled(`  ${sign} ${pad(change.server, width)}`, style, "bold"), `  ${word}${later}`],
		...change.differences.map((difference): Line => [`      ${difference}`]),
		...change.destroys.map((what): Line => ["      ", destroyed(what)]),
		...(change.left === null ? [] : [["      ", styled(change.left, "yellow")]]),
	];
}

function destroyed(what: string): Styled {
	return styled(`DESTROYED FOR EVER: ${what}`, "red", "bold");
}

/** The question that a person has to answer with yes before anything is destroyed. */
export function destroyQuestion(plan: Plan): string {
	const what = plan.changes.flatMap((change) =>
		change.destroys.map((each) => (each.includes(change.server) ? each : `${each} of ${change.server}`)),
	);
	return `Destroy ${what.join(", ") || "what the plan says"} for ever?`;
}
