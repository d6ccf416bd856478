import type { Command } from "commander";
import { BulkheadError } from "../../api/errors.ts";
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
	await confirm(context, `Destroy ${disksOf(view)} of ${server} for ever?`, options.yes);
	const deleted = await client.call("delete", { server }, { destroyDisks: true }, { signal });
	answer(context, deleted, () => [
		[styled(deleted.deleted, "bold"), " and its disks are gone."],
		["Take it out of the site file too, or the next `bulkhead apply` makes it anew."],
	]);
}

function disksOf(view: ServerView): string {
	const data = view.dataDisks.map((disk) => `the data disk ${disk}`);
	return ["the system disk", ...data].join(", ");
}
