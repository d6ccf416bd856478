import { Argument, type Command } from "commander";
import type { ServerView } from "../../api/server.ts";
import { answer, type Context, type Open } from "../context.ts";
import { actAndWait } from "../server-action.ts";
import { longestWaitMs, running, stopped } from "../wait.ts";

const modes = ["on", "off", "begin", "commit", "abandon"] as const;
type Mode = (typeof modes)[number];
/** How long the guest may take to shut down before its changes are committed; it may have updates to finish. */
const shutDownMs = 600_000;

export function addMaintenance(program: Command, open: Open): void {
	program
		.command("maintenance")
		.summary("stop or resume judging its failures; change a disposable system disk")
		.description(
			[
				"on, off: while maintenance is on, nothing that the server does counts as a failure: it may reboot, install and stand still.",
				"begin: restarts a server with a disposable system disk so that what is written there is kept aside: install updates or software then.",
				"commit: shuts it down, makes the changes part of its system disk, starts it again, and has it sealed anew. abandon: throws the changes away.",
			].join("\n"),
		)
		.addArgument(new Argument(`<${modes.join("|")}>`).choices(modes))
		.argument("<server>")
		.action(async (mode: Mode, server: string, _options: object, command: Command) => {
			const context = open(command);
			if (mode === "on" || mode === "off") await suspend(context, server, mode === "on");
			else if (mode === "begin") await begin(context, server);
			else await end(context, server, mode);
		});
}

async function suspend(context: Context, server: string, on: boolean): Promise<void> {
	const view = await context.client.call("maintenance", { server }, { on }, { signal: context.signal });
	answer(context, view, () => [
		[
			view.maintenance
				? `Failures of ${view.name} are not judged until \`bulkhead maintenance off ${view.name}\`.`
				: `Failures of ${view.name} are judged again.`,
		],
	]);
}

async function begin(context: Context, server: string): Promise<void> {
	const { signal, client } = context;
	const before = await client.call("show", { server }, null, { signal });
	const act = () => client.call("changes", { server }, { what: "begin" }, { signal });
	const judge = running(before.session?.number ?? 0);
	const wait = { judge, longestMs: longestWaitMs, what: `${server} to run in a new session` };
	const view = await actAndWait(context, server, "restarting it to be changed", act, wait);
	answer(context, view, () => [
		[`${server} can be changed now. Then: bulkhead maintenance commit ${server}, or abandon.`],
	]);
}

async function end(context: Context, server: string, what: "commit" | "abandon"): Promise<void> {
	const { signal, client } = context;
	const before = await client.call("show", { server }, null, { signal });
	if (before.changing) await shutDown(context, before);
	const act = () => client.call("changes", { server }, { what }, { signal, deadlineMs: longestWaitMs });
	const doing =
		what === "commit" ? "making the changes part of its system disk" : "throwing the changes away";
	let view = await actAndWait(context, server, doing, act, undefined);
	if (before.state === "running") {
		const start = () => client.call("start", { server }, null, { signal });
		const wait = { judge: running(0), longestMs: longestWaitMs, what: `${server} to run` };
		view = await actAndWait(context, server, "starting", start, wait);
	}
	const done = what === "commit" ? "are part of its system disk" : "were thrown away";
	answer(context, view, () => [[`The changes of ${server} ${done}.`]]);
}

async function shutDown(context: Context, { name, state }: ServerView): Promise<void> {
	if (state === "stopped" || state === "failed") return;
	const { signal, client } = context;
	const act = () => client.call("stop", { server: name }, { deadlineMs: shutDownMs }, { signal });
	const wait = { judge: stopped, longestMs: shutDownMs + longestWaitMs, what: `${name} to shut down` };
	await actAndWait(context, name, "shutting down", act, wait);
}
