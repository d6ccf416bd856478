import type { Command } from "commander";
import { answer, type Context, type Open } from "../context.ts";
import { trafficLines } from "../traffic-view.ts";

export function addTraffic(program: Command, open: Open): void {
	program
		.command("traffic")
		.summary("show what goes in and out of a server, who uses it, and when last")
		.description(
			"What went through each published service and each way out in the last 30 days: connections, bytes, clients, last use. Health checks do not count.",
		)
		.argument("<server>")
		.action((server: string, _options: object, command: Command) => traffic(open(command), server));
}

async function traffic(context: Context, server: string): Promise<void> {
	const view = await context.client.call("traffic", { server }, null, { signal: context.signal });
	answer(context, view, () => trafficLines(view, Date.now()));
}
