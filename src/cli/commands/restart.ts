import { type Command, Option } from "commander";
import { answer, type Context, type Open } from "../context.ts";
import { durationArgument } from "../options.ts";
import { actAndWait } from "../server-action.ts";
import { runningLine } from "../server-view.ts";
import { longestWaitMs, running } from "../wait.ts";

interface Options {
	timeout: number;
	force?: boolean;
	wait: boolean;
}

export function addRestart(program: Command, open: Open): void {
	program
		.command("restart")
		.summary("stop it and start it in a new session")
		.argument("<server>")
		.addOption(
			new Option("--timeout <duration>", "how long it may take to shut down before it is forced")
				.argParser(durationArgument)
				.default(60_000, "60s"),
		)
		.addOption(new Option("--force", "pull the plug at once").conflicts("timeout"))
		.option("--no-wait", "do not wait until it is ready")
		.action((server: string, options: Options, command: Command) => restart(open(command), server, options));
}

async function restart(context: Context, server: string, options: Options): Promise<void> {
	const { signal } = context;
	const before = await context.client.call("show", { server }, null, { signal });
	const deadlineMs = options.force ? 0 : options.timeout;
	const act = () => context.client.call("restart", { server }, { deadlineMs }, { signal });
	const judge = running(before.session?.number ?? 0);
	const wait = { judge, longestMs: deadlineMs + longestWaitMs, what: `${server} to run in a new session` };
	const view = await actAndWait(context, server, "restarting", act, options.wait ? wait : undefined);
	answer(context, view, () => [runningLine(view)]);
}
