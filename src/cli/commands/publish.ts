import { type Command, Option } from "commander";
import type { PublishedView } from "../../api/server.ts";
import { answer, type Context, type Open } from "../context.ts";
import { portArgument } from "../options.ts";
import { placeText, whoText } from "../published-view.ts";
import type { Line } from "../terminal.ts";

interface PublishOptions {
	to: PublishedView["to"];
	listen?: number;
	port?: number;
	protocol?: PublishedView["protocol"];
	through?: PublishedView["through"];
	hold?: string;
	proxy?: "v1" | "v2";
	health?: "connect" | "none";
}

export function addPublish(program: Command, open: Open): void {
	program
		.command("publish")
		.summary("let one of its services out, at once")
		.description(
			[
				"Opens a front door for a service of the server, or its own address; its other services, and who uses them, are not touched.",
				"The site file has to say so too: the next `bulkhead apply` of one that does not takes it back. What it has to say is shown.",
			].join("\n"),
		)
		.argument("<server>")
		.argument("<service>", "one of `bulkhead services`, of its template, or a name of your own with --port")
		.addOption(
			new Option("--to <whom>", "this host only, or everybody who reaches this host")
				.choices(["host", "lan"])
				.makeOptionMandatory(),
		)
		.option("--listen <port>", "port on the host (the service's own)", portArgument)
		.option("--port <port>", "port inside the server (the template's, or the catalogue's)", portArgument)
		.addOption(new Option("--protocol <protocol>", "how it is treated").choices(["http", "tcp", "udp"]))
		.addOption(
			new Option(
				"--through <way>",
				"a port of this host, where users are held during a recovery, or the server's own address",
			).choices(["front-door", "address"]),
		)
		.addOption(
			new Option("--proxy <version>", "tcp: tell it its clients' addresses by the PROXY protocol").choices([
				"v1",
				"v2",
			]),
		)
		.addOption(
			new Option(
				"--health <check>",
				"it is well when it takes connections, or nobody asks (by its protocol, where that is known)",
			).choices(["connect", "none"]),
		)
		.option("--hold <duration>", "how long new connections wait while the server recovers (60s)")
		.action((server: string, service: string, options: PublishOptions, command: Command) =>
			publish(open(command), server, service, options),
		);
}

export function addUnpublish(program: Command, open: Open): void {
	program
		.command("unpublish")
		.summary("take one of its services back, at once")
		.description(
			"Closes the front door of a service; its connections end, and those of no other. The site file must not name it any more: the next `bulkhead apply` of one that does publishes it again.",
		)
		.argument("<server>")
		.argument("<service>")
		.option("--listen <port>", "port on the host, where it is published at several", portArgument)
		.action((server: string, service: string, options: { listen?: number }, command: Command) =>
			unpublish(open(command), server, service, options),
		);
}

async function publish(
	context: Context,
	server: string,
	service: string,
	{ to, ...given }: PublishOptions,
): Promise<void> {
	const { client, signal } = context;
	const view = await client.call("publish", { server }, { service, to, ...given }, { signal });
	const { published, siteFile } = view;
	answer(context, view, () => [
		[`${view.server} publishes ${published.service} on ${placeText(published)}, for ${whoText(published)}.`],
		...fileLines(
			`Add this to ${siteFile.under} in the site file: the next apply without it takes it back.`,
			siteFile.line,
		),
	]);
}

async function unpublish(
	context: Context,
	server: string,
	service: string,
	{ listen }: { listen?: number },
): Promise<void> {
	const { client, signal } = context;
	const view = await client.call("unpublish", { server }, { service, listen }, { signal });
	const { published, siteFile } = view;
	answer(context, view, () => [
		[`${view.server} does not publish ${published.service} on ${placeText(published)} any more.`],
		...fileLines(
			`Take this out of ${siteFile.under} in the site file: the next apply with it publishes it again.`,
			siteFile.line,
		),
	]);
}

function fileLines(what: string, line: string): Line[] {
	return [[what], [`  ${line}`]];
}
