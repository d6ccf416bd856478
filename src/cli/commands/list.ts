import type { Command } from "commander";
import { answer, type Context, type Open } from "../context.ts";
import { serverTable } from "../server-view.ts";

export function addList(program: Command, open: Open): void {
	program
		.command("list")
		.summary("list all servers and how they are")
		.action((_options: object, command: Command) => list(open(command)));
}

async function list(context: Context): Promise<void> {
	const servers = await context.client.call("list", {}, null, { signal: context.signal });
	answer(context, servers, () =>
		servers.length > 0
			? serverTable(servers, context.terminal.width)
			: [["No servers yet. Describe some in a file and run `bulkhead apply FILE`."]],
	);
}
