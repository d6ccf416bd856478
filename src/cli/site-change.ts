import { setTimeout as delay } from "node:timers/promises";
import { BulkheadError } from "../api/errors.ts";
import type { Plan } from "../api/plan.ts";
import { carryOut, planOf } from "./applying.ts";
import { type Context, confirm } from "./context.ts";
import { planLines } from "./plan-view.ts";
import { SiteEditError } from "./site-edit.ts";
import { readSite, replaceSite } from "./site-file.ts";

/** How long a change that was broken off may take to be undone before nobody waits for it any more. */
const settlesWithinMs = 30_000;

/**
 * Changes a site file and applies it. The file tells the truth about what runs: it is written before, and put back when
 * nothing came of it, unless somebody else has changed it since. What else the file says than what is there may be applied with it, but never destroys anything.
 * @param edit makes the new text; what it throws as SiteEditError is told with the file's name
 * @param question to be answered with yes before anything is written
 * @throws BulkheadError changed-meanwhile when somebody else has saved the file until then; nothing is written or applied
 */
export async function changeSite(
	context: Context,
	file: string,
	edit: (before: string) => string,
	question: string,
	yes: boolean | undefined,
): Promise<{ plan: Plan; text: string }> {
	const before = await readSite(file);
	const after = edited(file, before, edit);
	const plan = await planOf(context, file, after);
	if (!context.json) context.terminal.print(...planLines(plan), []);
	if (plan.destructive)
		throw new BulkheadError(
			"needs-confirmation",
			`applying ${file} would destroy disks beside this; nothing was changed; look at it by itself first: bulkhead apply ${file}`,
		);
	await confirm(context, question, yes);
	await replaceSite(file, before, after);
	try {
		return { plan, text: await carryOut(context, plan, after) };
	} catch (error) {
		if (await wasApplied(context, after)) noteApplied(context, file);
		else await putBack(context, file, before, after);
		throw error;
	}
}

/** Who breaks off in the last moment may come too late, and what failed may have been the last step: then the site is what the file says. */
async function wasApplied({ client }: Context, after: string): Promise<boolean> {
	const signal = AbortSignal.timeout(settlesWithinMs);
	try {
		while ((await client.call("status", {}, null, { signal })).changing)
			await delay(100, undefined, { signal });
		const { changes, segments } = await client.call("plan", {}, { text: after }, { signal });
		return segments.length === 0 && changes.every(({ kind }) => kind === "same");
	} catch {
		// Nobody can say: then it counts as undone, which the next plan shows where it is not so.
		return false;
	}
}

function noteApplied({ terminal, signal }: Context, file: string): void {
	const why = signal.aborted ? "It was too late to break off: " : "All the same ";
	terminal.note([`${why}${file} is in force, and stays as it is now.`]);
}

/** What somebody else has saved meanwhile is theirs. */
async function putBack(context: Context, file: string, before: string, after: string): Promise<void> {
	await replaceSite(file, after, before).catch((error: unknown) => {
		if (!(error instanceof BulkheadError) || error.code !== "changed-meanwhile") throw error;
		context.terminal.note([
			`${file} was changed by somebody else meanwhile, and is left as it is: look at it before the next apply.`,
		]);
	});
}

function edited(file: string, before: string, edit: (before: string) => string): string {
	try {
		return edit(before);
	} catch (error) {
		if (error instanceof SiteEditError)
			throw new BulkheadError("bad-input", `${file}: ${error.message}`, { cause: error });
		throw error;
	}
}
