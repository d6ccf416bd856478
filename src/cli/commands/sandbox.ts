import type { Command } from "commander";
import { answer, type Context, type Open } from "../context.ts";
import { sandboxLines } from "../sandbox-view.ts";

export function addSandbox(program: Command, open: Open): void {
	program
		.command("sandbox")
		.summary("show who can reach a server, what it can reach, and why")
		.argument("<server>")
		.action((server: string, _options: object, command: Command) => sandbox(open(command), server));
}

async function sandbox(context: Context, server: string): Promise<void> {
	const view = await context.client.call("sandbox", { server }, null, { signal: context.signal });
	answer(context, view, () => sandboxLines(view));
}
