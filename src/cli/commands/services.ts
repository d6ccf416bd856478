import type { Command } from "commander";
import type { ServiceView } from "../../api/service.ts";
import { answer, type Context, type Open } from "../context.ts";
import { portsText } from "../published-view.ts";
import { type Column, table } from "../table.ts";
import { type Line, styled } from "../terminal.ts";

export function addServices(program: Command, open: Open): void {
	program
		.command("services")
		.summary("list the services that can be published by their name alone")
		.action((_options: object, command: Command) => services(open(command)));
}

async function services(context: Context): Promise<void> {
	const found = await context.client.call("services", {}, null, { signal: context.signal });
	answer(context, found, () => serviceLines(found));
}

const columns: Column[] = [
	{ title: "SERVICE" },
	{ title: "PORTS" },
	{ title: "PROTOCOL" },
	{ title: "THROUGH" },
	{ title: "HEALTH" },
	{ title: "WHAT IT IS" },
];

export function serviceLines(services: readonly ServiceView[]): Line[] {
	const rows = services.map(({ name, ports, protocol, through, health, title }) => [
		styled(name, "bold"),
		portsText(ports),
		protocol,
		through === "address" ? "own address" : "either",
		health,
		title,
	]);
	const notes = services.flatMap(({ name, note }): Line[] =>
		note === "" ? [] : [[styled(name, "bold"), `: ${note}`]],
	);
	return [
		...table(columns, rows),
		[],
		...notes,
		[],
		["Any other: `publish: [{ service: NAME-OF-YOUR-OWN, port: 1234, to: host }]`."],
	];
}
