import type { Command } from "commander";
import { answer, type Context, type Open } from "../context.ts";
import { actAndWait } from "../server-action.ts";
import { runningLine } from "../server-view.ts";
import { longestWaitMs, running } from "../wait.ts";

interface Options {
	wait: boolean;
}

export function addStart(program: Command, open: Open): void {
	program
		.command("start")
		.summary("start a server and wait until it is ready")
		.argument("<server>")
		.option("--no-wait", "do not wait until it is ready")
		.action((server: string, options: Options, command: Command) => start(open(command), server, options));
}

async function start(context: Context, server: string, options: Options): Promise<void> {
	const act = () => context.client.call("start", { server }, null, { signal: context.signal });
	const wait = { judge: running(0), longestMs: longestWaitMs, what: `${server} to run` };
	const view = await actAndWait(context, server, "starting", act, options.wait ? wait : undefined);
	answer(context, view, () => [runningLine(view)]);
}
