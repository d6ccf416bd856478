import type { Command } from "commander";
import { leftInDomain } from "../../api/domain.ts";
import { BulkheadError } from "../../api/errors.ts";
import { lostWithServer } from "../../api/plan.ts";
import { isAllowed, type ServerView } from "../../api/server.ts";
import { answer, type Context, confirm, type Open } from "../context.ts";
import { styled } from "../terminal.ts";

interface Options {
	yes?: boolean;
}

export function addDelete(program: Command, open: Open): void {
	program
		.command("delete")
		.summary("delete a stopped server and its disks")
		.description(
			"Deletes a stopped server for ever: its disks, its seal, its incidents with evidence and dumps, and the history of its traffic.",
		)
		.argument("<server>")
		.option("-y, --yes", "do not ask")
		.action((server: string, options: Options, command: Command) => remove(open(command), server, options));
}

async function remove(context: Context, server: string, options: Options): Promise<void> {
	const { client, signal } = context;
	const view = await client.call("show", { server }, null, { signal });
	if (!isAllowed("delete", view.state)) {
		const mend = `stop it first: bulkhead stop ${server}`;
		throw new BulkheadError("not-allowed-now", `${server} is ${view.state}; ${mend}`);
	}
	const left = leftInDomain(view, view.domain ? await client.call("list", {}, null, { signal }) : []);
	const lines = left === null ? [] : [[styled(left, "yellow")]];
	if (!context.json && !options.yes) context.terminal.print(...lines);
	await confirm(context, `Destroy ${partsOf(view)} of ${whatOf(view)} for ever?`, options.yes);
	const deleted = await client.call("delete", { server }, { destroyDisks: true }, { signal });
	answer(context, deleted, () => [
		[styled(deleted.deleted, "bold"), " and its disks are gone."],
		["Take it out of the site file too, or the next `bulkhead apply` makes it anew."],
		...lines,
	]);
}

function whatOf({ name, domain }: ServerView): string {
	return domain ? `${name}, a controller of ${domain.realm},` : name;
}

function partsOf(view: ServerView): string {
	const data = view.dataDisks.map((disk) => `data disk ${disk}`);
	const all = ["system disk", ...data, ...lostWithServer(view.recovery.mode)];
	return all.map((part) => `the ${part}`).join(", ");
}
