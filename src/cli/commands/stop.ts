import { type Command, Option } from "commander";
import { answer, type Context, type Open } from "../context.ts";
import { durationArgument } from "../options.ts";
import { actAndWait } from "../server-action.ts";
import { styled } from "../terminal.ts";
import { stopped } from "../wait.ts";

/** What the daemon may need on top of the server's own time. */
const marginMs = 60_000;

interface Options {
	timeout: number;
	force?: boolean;
}

export function addStop(program: Command, open: Open): void {
	program
		.command("stop")
		.summary("stop a server, by force if need be")
		.description(
			"Presses the server's power button, and pulls its plug when it has not shut down in time. A server that was stopped stays so until `bulkhead start`.",
		)
		.argument("<server>")
		.addOption(
			new Option("--timeout <duration>", "how long it may take to shut down before it is forced")
				.argParser(durationArgument)
				.default(60_000, "60s"),
		)
		.addOption(new Option("--force", "pull the plug at once").conflicts("timeout"))
		.action((server: string, options: Options, command: Command) => stop(open(command), server, options));
}

async function stop(context: Context, server: string, options: Options): Promise<void> {
	const deadlineMs = options.force ? 0 : options.timeout;
	const { signal } = context;
	const act = () => context.client.call("stop", { server }, { deadlineMs }, { signal });
	const wait = { judge: stopped, longestMs: deadlineMs + marginMs, what: `${server} to stop` };
	const view = await actAndWait(context, server, "stopping", act, wait);
	// It is stopped: no trouble with what is said beside that makes a failure of it.
	const needing = await thatRunAfter(context, server).catch(() => []);
	answer(context, view, () => [
		[styled(view.name, "bold"), " is stopped."],
		...(needing.length > 0
			? [[styled(`Of the servers that come after it these run on: ${needing.join(", ")}.`, "yellow")]]
			: []),
	]);
}

/** Those that may miss it. */
async function thatRunAfter({ client, signal }: Context, server: string): Promise<string[]> {
	const servers = await client.call("list", {}, null, { signal });
	return servers
		.filter(({ after, session, state }) => after.includes(server) && (session !== null || state === "asleep"))
		.map(({ name }) => name);
}
