import type { Command } from "commander";
import { answer, type Context, type Open } from "../context.ts";
import { serverLines } from "../server-view.ts";

export function addShow(program: Command, open: Open): void {
	program
		.command("show")
		.summary("show everything about one server")
		.argument("<server>")
		.action((server: string, _options: object, command: Command) => show(open(command), server));
}

async function show(context: Context, server: string): Promise<void> {
	const view = await context.client.call("show", { server }, null, { signal: context.signal });
	answer(context, view, () => serverLines(view));
}
