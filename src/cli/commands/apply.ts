import type { Command } from "commander";
import type { Plan } from "../../api/plan.ts";
import { carryOut, planOf } from "../applying.ts";
import { type Context, confirm, type Open } from "../context.ts";
import { destroyQuestion, isEmpty, planLines } from "../plan-view.ts";
import { readSite } from "../site-file.ts";
import { styled } from "../terminal.ts";

interface Options {
	yes?: boolean;
}

export function addApply(program: Command, open: Open): void {
	program
		.command("apply")
		.summary("make the site as a file says")
		.description(
			"Makes the site as a file says: shows what changes, asks before a disk is destroyed, then does it. A file with mistakes changes nothing; each mistake is shown with its line.",
		)
		.argument("<file>", "the site file, such as site.yaml")
		.option("-y, --yes", "destroy what the file no longer names, without asking")
		.addHelpText("after", "\nExamples:\n  bulkhead apply site.yaml\n  bulkhead apply --yes site.yaml --json")
		.action((file: string, options: Options, command: Command) => apply(open(command), file, options));
}

async function apply(context: Context, file: string, options: Options): Promise<void> {
	const text = await readSite(file);
	const plan = await planOf(context, file, text);
	if (isEmpty(plan)) return nothingToDo(context, file, plan);
	if (!context.json) context.terminal.print(...planLines(plan), []);
	if (plan.destructive) await confirm(context, destroyQuestion(plan), options.yes);
	const said = await carryOut(context, plan, text);
	if (context.json) context.terminal.json({ plan, applied: true, text: said });
	else context.terminal.print([styled(said, "green")]);
}

function nothingToDo(context: Context, file: string, plan: Plan): void {
	const text = `Nothing to do: site ${plan.site} is as ${file} says.`;
	if (context.json) context.terminal.json({ plan, applied: false, text });
	else context.terminal.print([text]);
}
