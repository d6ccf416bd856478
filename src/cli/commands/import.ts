import { basename, resolve } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import { BulkheadError } from "../../api/errors.ts";
import { type GuestName, guestNames } from "../../api/guest.ts";
import type { ImportView } from "../../api/import.ts";
import type { ServerDefinition } from "../../api/site.ts";
import { Activity } from "../activity.ts";
import type { Context, Open } from "../context.ts";
import { definitionOf, holderOfMac, nameFrom } from "../import/definition.ts";
import { entryLines, importLines } from "../import/view.ts";
import { changeSite } from "../site-change.ts";
import { addServer } from "../site-edit.ts";
import { styled } from "../terminal.ts";

/** Checksums of large packages are reckoned meanwhile. */
const examineMs = 2 * 60 * 60_000;

interface Options {
	name?: string;
	site?: string;
	segment?: string;
	address?: string;
	guest?: GuestName;
	timeZone?: string;
	disk: Record<string, string>;
	yes?: boolean;
}

export function addImport(program: Command, open: Open): void {
	program
		.command("import")
		.summary("move a machine here from VMware, Hyper-V, Proxmox, libvirt or VirtualBox")
		.description(
			[
				"Reads a disk image (raw, qcow2, VMDK, VHD, VHDX, VDI) or the description of a machine (OVA, OVF, .vmx, Proxmox' .conf, libvirt's XML), and shows what becomes of it, and what does not.",
				"With --site it is written into the site file and made; its disks are copied, and the source is only read. Without, the lines for the site file are printed.",
			].join("\n"),
		)
		.argument("<source>", "the image or description, on the host of the daemon")
		.option("--site <file>", "write it into this site file, and apply that")
		.option("--name <server>", "its name here (as it was called)")
		.option("--segment <segment>", "the segment of the site that its network card is on; needs --address")
		.option("--address <address>", "its address there, as the machine itself has it")
		.addOption(
			new Option("--guest <system>", "what it runs, where that is not told").choices([...guestNames]),
		)
		.option("--time-zone <zone>", "that is set in a Windows, as Europe/Berlin (this host's)")
		.option(
			"--disk <name=path>",
			"where a disk is that the description does not tell (repeatable)",
			diskArgument,
			{},
		)
		.option("-y, --yes", "do not ask")
		.addHelpText(
			"after",
			[
				"",
				"Examples:",
				"  bulkhead import /srv/erp.ova",
				"  bulkhead import /srv/erp/erp.vmx --site site.yaml --segment office --address 10.77.0.30",
				"  bulkhead import /srv/100.conf --disk scsi0=/srv/vm-100-disk-0.raw --site site.yaml --yes",
			].join("\n"),
		)
		.action((source: string, options: Options, command: Command) =>
			importServer(open(command), source, options),
		);
}

function diskArgument(text: string, before: Record<string, string>): Record<string, string> {
	const at = text.indexOf("=");
	if (at <= 0 || at === text.length - 1)
		throw new InvalidArgumentError("Write NAME=PATH, as in scsi0=/srv/disk.raw.");
	return { ...before, [text.slice(0, at)]: resolve(text.slice(at + 1)) };
}

async function importServer(context: Context, source: string, options: Options): Promise<void> {
	const { segment, address, site } = options;
	if ((segment === undefined) !== (address === undefined))
		throw new BulkheadError("bad-input", "--segment and --address belong together; say both, or neither");
	const view = await examine(context, resolve(source), options.disk);
	const name = options.name ?? nameFrom(view.name || basename(source));
	const definition = definitionOf(view, options);
	if (!context.json)
		context.terminal.print(...importLines(view, name, definition, context.terminal.width), []);
	if (!context.json && segment === undefined)
		context.terminal.print(
			[styled("note: ", "yellow"), "Without --segment and --address it gets no network."],
			[],
		);
	const holder = holderOfMac(view, options);
	if (!context.json && holder !== undefined)
		context.terminal.print(
			[
				styled("note: ", "yellow"),
				`Its hardware address is that of ${holder} on segment ${segment}: it gets one of its own, and its system finds a new network card.`,
			],
			[],
		);
	if (site === undefined) return printEntry(context, view, name, definition);
	await writeAndApply(context, site, view, name, definition, options.yes);
}

async function examine(context: Context, source: string, disks: Record<string, string>): Promise<ImportView> {
	using _ = new Activity(context.terminal, `examining ${source}`, context.json);
	const { client, signal } = context;
	return await client.call("examineImport", {}, { source, disks }, { signal, deadlineMs: examineMs });
}

function printEntry(context: Context, view: ImportView, name: string, definition: ServerDefinition): void {
	if (context.json) context.terminal.json({ import: view, server: name, definition, applied: false });
	else
		context.terminal.print(
			["Add this below `servers:` of the site file, and apply it:"],
			[],
			...entryLines(name, definition),
		);
}

async function writeAndApply(
	context: Context,
	file: string,
	view: ImportView,
	name: string,
	definition: ServerDefinition,
	yes: boolean | undefined,
): Promise<void> {
	const question = `Write ${name} into ${file}, and copy its disks?`;
	const edit = (before: string) => addServer(before, name, definition);
	const { plan, text } = await changeSite(context, file, edit, question, yes);
	if (context.json)
		context.terminal.json({ import: view, server: name, definition, applied: true, plan, text });
	else context.terminal.print([styled(text, "green")]);
}
