import { type Command, Option } from "commander";
import type { ServerView } from "../../api/server.ts";
import { answer, type Context, type Open } from "../context.ts";
import { durationArgument } from "../options.ts";
import { actAndWait } from "../server-action.ts";
import { longestWaitMs, running, waitFor } from "../wait.ts";

export function addRenew(program: Command, open: Open): void {
	program
		.command("renew")
		.summary("put a new session in the place of the one that runs")
		.description(
			"A planned change of sessions that nobody notices: new requests and connections wait at the front door until those that are under way have ended, and then go to the next session, which stands by. For servers that recover warm.",
		)
		.argument("<server>")
		.addOption(
			new Option(
				"--timeout <duration>",
				"how long requests and connections may take to end; else nothing is changed",
			)
				.argParser(durationArgument)
				.default(10_000, "10s"),
		)
		.action((server: string, { timeout }: { timeout: number }, command: Command) =>
			renew(open(command), server, timeout),
		);
}

async function renew(context: Context, server: string, deadlineMs: number): Promise<void> {
	const { client, signal } = context;
	const before = await untilStandby(context, server);
	const act = () =>
		client.call("renew", { server }, { deadlineMs }, { signal, deadlineMs: deadlineMs + 60_000 });
	const judge = running(before.session?.number ?? 0);
	const wait = { judge, longestMs: longestWaitMs, what: `${server} to run in a new session` };
	const view = await actAndWait(context, server, "changing sessions", act, wait);
	answer(context, view, () => [
		[`${server} runs in session ${view.session?.number}; session ${before.session?.number} has ended.`],
	]);
}

/** A session that has just been replaced takes a moment to get its next one. */
async function untilStandby(context: Context, server: string): Promise<ServerView> {
	const judge = ({ warm, state }: ServerView) => {
		const coming =
			state === "running" &&
			warm?.standbys === 0 &&
			warm.wanted > 0 &&
			(warm.seal === "ready" || warm.seal === "making");
		return coming ? "waiting" : "reached";
	};
	const what = `a next session of ${server} to stand by`;
	return await waitFor(context, server, { judge, longestMs: longestWaitMs, what });
}
