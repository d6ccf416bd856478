import { Argument, type Command } from "commander";
import { BulkheadError } from "../../api/errors.ts";
import type { ServerView } from "../../api/server.ts";
import { answer, type Context, confirm, type Open } from "../context.ts";
import { Interrupted } from "../interrupted.ts";
import { actAndWait } from "../server-action.ts";
import { longestWaitMs, running, stopped } from "../wait.ts";

const modes = ["on", "off", "begin", "commit", "abandon"] as const;
type Mode = (typeof modes)[number];
/** How long the guest may take to shut down before its changes are committed; it may have updates to finish. */
const shutDownMs = 600_000;
/** How long a look at the server may take after something went wrong. */
const lookMs = 10_000;

interface Options {
	yes?: boolean;
}

export function addMaintenance(program: Command, open: Open): void {
	program
		.command("maintenance")
		.summary("stop or resume judging its failures; change a disposable system disk")
		.description(
			[
				"on, off: while maintenance is on, nothing that the server does counts as a failure: it may reboot, install and stand still.",
				"begin: restarts a server with a disposable system disk so that what is written there is kept aside: install updates or software then.",
				"commit: shuts it down, makes the changes part of its system disk, starts it again, and has it sealed anew. abandon: throws the changes away instead.",
			].join("\n"),
		)
		.addArgument(new Argument(`<${modes.join("|")}>`).choices(modes))
		.argument("<server>")
		.option("-y, --yes", "abandon: do not ask")
		.action(async (mode: Mode, server: string, options: Options, command: Command) => {
			const context = open(command);
			if (mode === "on" || mode === "off") await suspend(context, server, mode === "on");
			else if (mode === "begin") await begin(context, server);
			else await end(context, server, mode, options);
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

type End = "commit" | "abandon";

async function end(context: Context, server: string, what: End, { yes }: Options): Promise<void> {
	const before = await context.client.call("show", { server }, null, { signal: context.signal });
	if (before.changing && what === "abandon")
		await confirm(context, `Throw away for ever what was changed of the system disk of ${server}?`, yes);
	const view = await endFrom(context, before, what).catch(async (error: unknown) => {
		throw withWords(error, await whatIsLeft(context, before, what));
	});
	const done = what === "commit" ? "are part of its system disk" : "were thrown away";
	answer(context, view, () => [[`The changes of ${server} ${done}.`]]);
}

async function endFrom(context: Context, before: ServerView, what: End): Promise<ServerView> {
	const { signal, client } = context;
	const server = before.name;
	if (before.changing) await shutDown(context, before);
	const act = () => client.call("changes", { server }, { what }, { signal, deadlineMs: longestWaitMs });
	const doing =
		what === "commit" ? "making the changes part of its system disk" : "throwing the changes away";
	const view = await actAndWait(context, server, doing, act, undefined);
	if (!isToRun(before)) return view;
	const start = () => client.call("start", { server }, null, { signal });
	const wait = { judge: running(0), longestMs: longestWaitMs, what: `${server} to run` };
	return await actAndWait(context, server, "starting", start, wait);
}

/** Whether it has to be stopped, and started again afterwards. */
function isToRun({ changing, state, wanted }: ServerView): boolean {
	return changing && wanted === "running" && !isDown(state);
}

function isDown(state: ServerView["state"]): boolean {
	return state === "stopped" || state === "failed";
}

async function shutDown(context: Context, { name, state, wanted }: ServerView): Promise<void> {
	if (isDown(state)) return;
	const { signal, client } = context;
	// Whoever stops it twice has it switched off.
	const isStopping = state === "stopping" && wanted === "stopped";
	const act = () =>
		isStopping
			? client.call("show", { server: name }, null, { signal })
			: client.call("stop", { server: name }, { deadlineMs: shutDownMs }, { signal });
	const wait = { judge: stopped, longestMs: shutDownMs + longestWaitMs, what: `${name} to shut down` };
	await actAndWait(context, name, "shutting down", act, wait);
}

/** How a server is whose changes were not brought to their end, and what goes on with it; empty when it is as it was before. */
async function whatIsLeft({ client }: Context, before: ServerView, what: End): Promise<string> {
	const server = before.name;
	const view = await client
		.call("show", { server }, null, { signal: AbortSignal.timeout(lookMs) })
		.catch(() => undefined);
	if (!view) return `${server} may be stopped; see how it is: bulkhead show ${server}`;
	const rests = isToRun(before) && view.wanted === "stopped";
	const isOff = view.wanted === "stopped" || isDown(view.state);
	const steps = [
		...(view.changing && isOff ? [`bulkhead maintenance ${what} ${server}`] : []),
		...(rests ? [`bulkhead start ${server}`] : []),
	];
	if (steps.length === 0) return "";
	const changes = view.changing ? "its changes are kept" : "its changes are done with";
	return `${server} is ${view.state}, and ${changes}; go on with: ${steps.join(", then ")}`;
}

/** The same error, and what there is to know of the server besides. */
function withWords(error: unknown, words: string): unknown {
	if (words === "") return error;
	if (error instanceof Interrupted) return new Interrupted(`${error.message}; ${words}`);
	if (!(error instanceof BulkheadError)) return error;
	const { code, problems, message } = error;
	return new BulkheadError(code, `${message}; ${words}`, { cause: error, problems: [...problems] });
}
