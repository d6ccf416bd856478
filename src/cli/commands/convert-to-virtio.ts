import type { Command } from "commander";
import { BulkheadError } from "../../api/errors.ts";
import { buses } from "../../api/guest.ts";
import type { Context, Open } from "../context.ts";
import { changeSite } from "../site-change.ts";
import { readSite } from "../site-file.ts";
import { type Line, styled } from "../terminal.ts";
import { begin, goBack, markFor, switchOver } from "../virtio/steps.ts";

interface Options {
	site: string;
	switch?: boolean;
	driverIsIn?: boolean;
	back?: boolean;
	yes?: boolean;
}

export function addConvertToVirtio(program: Command, open: Open): void {
	program
		.command("convert-to-virtio")
		.summary("put its system disk on virtio, which is faster, in two steps and with a way back")
		.description(
			[
				"First a small empty virtio disk is added beside the others: install the driver for it in the server. Then --switch puts the system disk on virtio, once the server's guest agent sees a disk there, and --back takes it back to where it was.",
				"Each step is written into the site file and applied; a server that runs has it with its next session.",
			].join("\n"),
		)
		.argument("<server>")
		.requiredOption("--site <file>", "the site file that the server is in")
		.option("--switch", "the second step")
		.option(
			"--driver-is-in",
			"the server has the driver, and starts it at boot: its guest agent is not asked",
		)
		.option("--back", "the way back, when it does not boot")
		.option("-y, --yes", "do not ask")
		.action((server: string, options: Options, command: Command) => convert(open(command), server, options));
}

async function convert(context: Context, server: string, options: Options): Promise<void> {
	const { site, back } = options;
	if (options.switch && back)
		throw new BulkheadError("bad-input", "--switch and --back are opposites; say one of them");
	if (back)
		return await step(
			context,
			server,
			options,
			(text) => goBack(text, server),
			"Put its system disk back",
			backWords(server),
		);
	const { systemBus } = await context.client.call("show", { server }, null, { signal: context.signal });
	if (options.switch) {
		if (!options.driverIsIn) await requireDriver(context, server);
		return await step(
			context,
			server,
			options,
			(text) => switchOver(text, server, systemBus),
			"Put its system disk on virtio",
			switchWords(server, site),
		);
	}
	const words = beginWords(server, site);
	if (begin(await readSite(site), server, systemBus) === undefined) {
		const text = `${server} has its small virtio disk already.`;
		if (context.json) context.terminal.json({ server, applied: false, text });
		else context.terminal.print([text], ...words);
		return;
	}
	await step(
		context,
		server,
		options,
		(text) => begin(text, server, systemBus) ?? text,
		"Add a small virtio disk to it",
		words,
	);
}

/** The guest sees a disk on virtio, so that it has the driver. @throws BulkheadError needs-confirmation, not-allowed-now */
async function requireDriver({ client, signal }: Context, server: string): Promise<void> {
	const { disks } = await client.call("guestDisks", { server }, null, { signal }).catch((error) => {
		if (!(error instanceof BulkheadError) || !unanswered.includes(error.code)) throw error;
		throw new BulkheadError(
			"needs-confirmation",
			`nothing says that ${server} has the driver (${error.message}), and without it it does not boot: see in the server that it knows the small virtio disk, then add --driver-is-in`,
			{ cause: error },
		);
	});
	// Windows calls what is on virtio SCSI; its disk is known by its serial number then.
	if (disks.some(({ serial, bus }) => bus === "virtio" || (serial !== null && marks.includes(serial))))
		return;
	throw new BulkheadError(
		"not-allowed-now",
		`the guest agent of ${server} sees no disk on virtio: begin without --switch when there is none yet, restart the server when it has not been since, or install the driver in it`,
	);
}

const unanswered: readonly string[] = ["not-allowed-now", "guest-did-not-answer"];
const marks: readonly string[] = buses.map(markFor);

async function step(
	context: Context,
	server: string,
	{ site, yes }: Options,
	edit: (text: string) => string,
	what: string,
	words: Line[],
): Promise<void> {
	const { plan, text } = await changeSite(context, site, edit, `${what} (${server}, in ${site})?`, yes);
	if (context.json) context.terminal.json({ server, applied: true, plan, text });
	else context.terminal.print([styled(text, "green")], ...words);
}

function beginWords(server: string, site: string): Line[] {
	return [
		["Now, in this order:"],
		[`  1. bulkhead restart ${server}   (when it runs: the disk comes with its next session)`],
		[
			"  2. In the server: Windows: run virtio-win-guest-tools.exe of virtio-win.iso, until Disk Management shows the new disk.",
		],
		[
			"     Linux: it has the driver; see that its initrd has it, too (lsinitramfs /initrd.img | grep virtio_blk), which nobody else looks at.",
		],
		[
			`  3. bulkhead convert-to-virtio ${server} --site ${site} --switch   (with --driver-is-in, where it has no guest agent)`,
		],
	];
}

function switchWords(server: string, site: string): Line[] {
	return [
		[`Restart it: bulkhead restart ${server}`],
		[
			`When it does not boot (Windows: stop code 7B): bulkhead convert-to-virtio ${server} --site ${site} --back, and restart it.`,
		],
		["When it does, take the disk `was-...` out of the site file, and apply it."],
	];
}

function backWords(server: string): Line[] {
	return [[`Restart it: bulkhead restart ${server}`]];
}
