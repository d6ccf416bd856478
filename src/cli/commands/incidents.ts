import { writeFile } from "node:fs/promises";
import type { Command } from "commander";
import { BulkheadError } from "../../api/errors.ts";
import { evidencePath } from "../../client/http.ts";
import { answer, type Context, type Open } from "../context.ts";
import { incidentLines, incidentTable } from "../incident-view.ts";
import { cleanLines } from "../terminal.ts";

interface Options {
	evidence?: string;
	output?: string;
	server?: string;
}

export function addIncidents(program: Command, open: Open): void {
	program
		.command("incidents")
		.summary("list failures, or tell the story of one")
		.description(
			"Lists failures, newest first; with an id the story of one: what was seen and done when, and what users felt.",
		)
		.argument("[id]", "such as dc1-7: the session that failed")
		.option("--evidence <file>", "print one of its evidence files")
		.option("-o, --output <file>", "with --evidence: write it to a file")
		.option("--server <server>", "only those of this server")
		.addHelpText(
			"after",
			"\nExamples:\n  bulkhead incidents --server dc1\n  bulkhead incidents dc1-7\n  bulkhead incidents dc1-7 --evidence console.txt\n\nA terminal gets evidence without control characters; a file or a pipe gets it byte for byte.",
		)
		.action((id: string | undefined, options: Options, command: Command) => {
			if (options.evidence !== undefined && id === undefined) {
				command.error("error: --evidence needs the id of an incident");
			}
			if (options.output !== undefined && options.evidence === undefined) {
				command.error("error: --output needs --evidence");
			}
			if (id === undefined) return list(open(command), options.server);
			if (options.evidence === undefined) return show(open(command), id);
			return evidence(open(command), id, options.evidence, options.output);
		});
}

async function list(context: Context, server: string | undefined): Promise<void> {
	const all = await context.client.call("incidents", {}, null, { signal: context.signal });
	const incidents = all.filter((incident) => server === undefined || incident.server === server);
	answer(context, incidents, () =>
		incidents.length > 0 ? incidentTable(incidents, context.terminal.width) : [["No incidents."]],
	);
}

async function show(context: Context, id: string): Promise<void> {
	const incident = await context.client.call("incident", { incident: id }, null, { signal: context.signal });
	const { width = 100, unicode } = context.terminal;
	answer(context, incident, () => incidentLines(incident, { width, unicode }));
}

async function evidence(context: Context, id: string, file: string, output?: string): Promise<void> {
	const bytes = await context.client.bytes(evidencePath(id, file), { signal: context.signal });
	if (output !== undefined) {
		await writeFile(output, bytes);
		answer(context, { incident: id, evidence: file, file: output, bytes: bytes.length }, () => [
			[`${file} of ${id} is in ${output}.`],
		]);
	} else if (context.json) {
		context.terminal.json({ incident: id, evidence: file, base64: bytes.toString("base64") });
	} else printEvidence(context, file, bytes);
}

function printEvidence({ terminal }: Context, file: string, bytes: Buffer): void {
	const { output } = terminal.streams;
	if (!output.isTTY) {
		output.write(bytes);
		return;
	}
	if (bytes.includes(0)) {
		throw new BulkheadError("bad-input", `${file} is not text; write it to a file with --output`);
	}
	const text = cleanLines(bytes.toString("utf8"));
	output.write(text.endsWith("\n") || text === "" ? text : `${text}\n`);
}
