import { Argument, type Command } from "commander";
import { BulkheadError } from "../../api/errors.ts";
import type { Incident } from "../../api/incident.ts";
import { type Fault, faults, isAllowed, type ServerView } from "../../api/server.ts";
import { DaemonUnreachable } from "../../client/transport.ts";
import { type Context, confirm, type Open } from "../context.ts";
import { eventLine } from "../event-view.ts";
import { incidentLines } from "../incident-view.ts";
import { pause, running, waitFor } from "../wait.ts";

/** A hang of a silent server may be noticed late, and its boot comes on top. */
const longestDrillMs = 3_600_000;
/** What users felt is known shortly after the server runs again. */
const settleMs = 5000;
const settlePollMs = 200;

interface Options {
	yes?: boolean;
}

export function addDrill(program: Command, open: Open): void {
	program
		.command("drill")
		.summary("make it fail on purpose, and watch")
		.description(
			"Makes a server fail on purpose and follows it until it runs again, then shows the incident.\n\n  panic   its kernel panics\n  kill    its process is killed\n  hang    its kernel stops answering\n  freeze  its process is stopped",
		)
		.argument("<server>")
		.addArgument(new Argument("<fault>").choices(faults))
		.option("-y, --yes", "do not ask (a terminal is asked, a script is not)")
		.action((server: string, fault: Fault, options: Options, command: Command) =>
			drill(open(command), server, fault, options),
		);
}

async function drill(context: Context, server: string, fault: Fault, options: Options): Promise<void> {
	const { client, signal } = context;
	const before = await client.call("show", { server }, null, { signal });
	checkReady(before);
	if (context.terminal.interactive) {
		await confirm(context, `Make ${server} fail now (${fault})? Its users will notice.`, options.yes);
	}
	using narration = await narrate(context, server);
	const made = await client.call("drill", { server }, { fault }, { signal });
	const outcome = await recovery(context, server, made.session);
	const incident = await incidentOf(
		context,
		`${server}-${made.session}`,
		before.published.some(({ listen }) => listen !== null),
	);
	narration[Symbol.dispose]();
	report(context, made, outcome, incident);
}

/** @throws BulkheadError when a drill now would show nothing */
function checkReady(view: ServerView): void {
	if (!isAllowed("drill", view.state)) {
		throw new BulkheadError("not-allowed-now", `${view.name} is ${view.state}; a drill needs it running`);
	}
	if (view.maintenance) {
		const mend = `end that first: bulkhead maintenance off ${view.name}`;
		const message = `${view.name} is in maintenance, where failures are not judged; ${mend}`;
		throw new BulkheadError("not-allowed-now", message);
	}
}

/** Prints the server's events as they happen, until it is disposed of. */
async function narrate(context: Context, server: string): Promise<Disposable> {
	const stop = new AbortController();
	if (!context.json) {
		const known = await context.client.call("events", {}, null, { signal: context.signal });
		const signal = AbortSignal.any([stop.signal, context.signal]);
		tell(context, server, known.at(-1)?.id ?? 0, signal).catch((error: unknown) =>
			context.terminal.note([`bulkhead: no more events: ${error instanceof Error ? error.message : error}`]),
		);
	}
	return { [Symbol.dispose]: () => stop.abort() };
}

async function tell(context: Context, server: string, after: number, signal: AbortSignal): Promise<void> {
	for await (const event of context.client.events(after, signal)) {
		if (event.server === server) context.terminal.print(eventLine(event));
	}
}

type Outcome = { server: ServerView } | { failure: BulkheadError };

/** Waits until the server runs in another session. A failure is kept for after the incident has been shown. */
async function recovery(context: Context, server: string, session: number): Promise<Outcome> {
	const wait = { judge: running(session), longestMs: longestDrillMs, what: `${server} to recover` };
	try {
		return { server: await waitFor(context, server, wait) };
	} catch (failure) {
		if (failure instanceof BulkheadError) return { failure };
		throw failure;
	}
}

/**
 * The drill's incident, once it is complete.
 * @param published whether users can have felt it
 * @returns the best that is known after a while; null when there is none
 */
async function incidentOf(context: Context, incident: string, published: boolean): Promise<Incident | null> {
	const end = performance.now() + settleMs;
	let best: Incident | null = null;
	for (;;) {
		best = (await find(context, incident)) ?? best;
		const complete = best && best.outcome !== "recovering" && (best.felt !== null || !published);
		if (complete || performance.now() > end) return best;
		await pause(settlePollMs, context.signal);
	}
}

async function find(context: Context, incident: string): Promise<Incident | null> {
	try {
		return await context.client.call("incident", { incident }, null, { signal: context.signal });
	} catch (error) {
		// A daemon that is replaced just now is asked again.
		if (error instanceof DaemonUnreachable) return null;
		if (error instanceof BulkheadError && error.code === "not-found") return null;
		throw error;
	}
}

/** @throws the failure, when the server did not come back */
function report(context: Context, drill: object, outcome: Outcome, incident: Incident | null): void {
	const { terminal, json } = context;
	if (!json && incident) {
		terminal.print(
			[],
			...incidentLines(incident, { width: terminal.width ?? 100, unicode: terminal.unicode }),
		);
	}
	if ("failure" in outcome) throw outcome.failure;
	if (json) terminal.json({ drill, server: outcome.server, incident });
}
