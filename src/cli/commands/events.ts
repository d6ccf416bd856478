import { type Command, Option } from "commander";
import type { Event } from "../../api/event.ts";
import type { Context, Open } from "../context.ts";
import { eventLine } from "../event-view.ts";
import { countArgument } from "../options.ts";

interface Options {
	follow?: boolean;
	server?: string;
	last: number;
}

export function addEvents(program: Command, open: Open): void {
	program
		.command("events")
		.summary("show what happened, or follow it")
		.option("-f, --follow", "go on with what happens, until Ctrl-C; with --json one event a line")
		.option("--server <server>", "only what concerns this server")
		.addOption(
			new Option("-n, --last <count>", "how many of the last 1,000 to show")
				.argParser(countArgument)
				.default(50),
		)
		.action((options: Options, command: Command) => events(open(command), options));
}

async function events(context: Context, options: Options): Promise<void> {
	const { client, signal, terminal } = context;
	const concerns = (event: Event) => options.server === undefined || event.server === options.server;
	const known = await client.call("events", {}, null, { signal });
	const shown = options.last === 0 ? [] : known.filter(concerns).slice(-options.last);
	if (!options.follow) {
		if (context.json) terminal.json(shown);
		else terminal.print(...shown.map(eventLine));
		return;
	}
	const print = (event: Event) =>
		context.json ? terminal.jsonLine(event) : terminal.print(eventLine(event));
	shown.forEach(print);
	for await (const event of client.events(known.at(-1)?.id ?? 0, signal)) {
		if (concerns(event)) print(event);
	}
}
