import { extname, resolve } from "node:path";
import { type Command, Option } from "commander";
import { BulkheadError } from "../../api/errors.ts";
import { type ExportFormat, exportFormats } from "../../api/export.ts";
import { createProgressView } from "../apply-progress.ts";
import type { Context, Open } from "../context.ts";
import { styled } from "../terminal.ts";

interface Options {
	to: string;
	format?: ExportFormat;
}

/** By the end of a file's name. */
const byEnding: Readonly<Record<string, ExportFormat>> = {
	".qcow2": "qcow2",
	".vmdk": "vmdk",
	".vhdx": "vhdx",
	".vhd": "vhd",
	".raw": "raw",
	".img": "raw",
	".ova": "ova",
};

export function addExport(program: Command, open: Open): void {
	program
		.command("export")
		.summary("take a server away: its disks as files, or all of it as an OVA")
		.description(
			"Copies the disks of a stopped server to files on the daemon's host: the system disk to the file that is named, data disks beside it. An OVA holds them all, and says what the hardware was. Files that are there are not touched.",
		)
		.argument("<server>")
		.requiredOption("--to <file>", "the file to make")
		.addOption(
			new Option("--format <format>", "of the disks (as the file's name ends)").choices([...exportFormats]),
		)
		.addHelpText(
			"after",
			"\nExamples:\n  bulkhead export erp --to /srv/away/erp.ova\n  bulkhead export erp --to /srv/away/erp.vhdx",
		)
		.action((server: string, options: Options, command: Command) =>
			exportServer(open(command), server, options),
		);
}

async function exportServer(context: Context, server: string, options: Options): Promise<void> {
	const to = resolve(options.to);
	const format = options.format ?? byEnding[extname(to).toLowerCase()];
	if (format === undefined)
		throw new BulkheadError(
			"bad-input",
			`${to} does not say in which format; add --format, one of ${exportFormats.join(", ")}`,
		);
	const view = createProgressView(context.terminal, context.json);
	try {
		const text = await context.client.export(
			server,
			{ to, format },
			(progress) => view.show(progress),
			context.signal,
		);
		await view.end(false);
		if (context.json) context.terminal.json({ server, to, format, text });
		else context.terminal.print([styled(text, "green")]);
	} catch (error) {
		await view.end(true);
		throw error;
	}
}
