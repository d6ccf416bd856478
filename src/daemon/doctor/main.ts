import { parseArgs, styleText } from "node:util";
import { explain } from "../../api/errors.ts";
import type { Check } from "../../api/plan.ts";
import { defaultState } from "../../api/routes.ts";
import { completePath } from "../../host/path.ts";
import { allChecks } from "./checks.ts";

const marks = { ok: ["green", "✔"], note: ["yellow", "!"], bad: ["red", "✘"] } as const;

function show(check: Check, width: number): string {
	const [colour, mark] = marks[check.level];
	const line = `${styleText(colour, mark)} ${check.name.padEnd(width)}  ${check.found}`;
	return check.mend ? `${line}\n  ${" ".repeat(width)}  → ${check.mend}` : line;
}

async function main(): Promise<number> {
	completePath();
	const { values } = parseArgs({ options: { json: { type: "boolean", default: false } } });
	const checks = await allChecks(process.env.BULKHEAD_STATE ?? defaultState);
	const ok = checks.every(({ level }) => level !== "bad");
	const width = Math.max(...checks.map(({ name }) => name.length));
	console.log(
		values.json
			? JSON.stringify({ ok, checks }, null, 2)
			: checks.map((check) => show(check, width)).join("\n"),
	);
	return ok ? 0 : 1;
}

try {
	process.exitCode = await main();
} catch (error) {
	process.stderr.write(`bulkhead: ${explain(error)}\n`);
	process.exitCode = 1;
}
