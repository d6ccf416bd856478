import { writeFile } from "node:fs/promises";
import type { Command } from "commander";
import { BulkheadError } from "../../api/errors.ts";
import { screenshotPath } from "../../client/http.ts";
import { answer, type Context, type Open } from "../context.ts";

/** A screen of 8k by 4k pixels, not compressed, in bytes. */
const largestScreen = 128 * 2 ** 20;
const mostFiles = 10_000;

interface Options {
	output?: string;
}

export function addScreenshot(program: Command, open: Open): void {
	program
		.command("screenshot")
		.summary("save a picture of its screen")
		.argument("<server>")
		.option("-o, --output <file>", "file to write (default: SERVER-N.png here, with the first free N)")
		.action((server: string, options: Options, command: Command) =>
			screenshot(open(command), server, options.output),
		);
}

async function screenshot(context: Context, server: string, output: string | undefined): Promise<void> {
	const { client, signal } = context;
	const bytes = await client.bytes(screenshotPath(server), { signal, largest: largestScreen });
	const file = output ?? (await writeNew(server, bytes));
	if (output !== undefined) await writeFile(output, bytes);
	answer(context, { server, file, bytes: bytes.length }, () => [[`The screen of ${server} is in ${file}.`]]);
}

/** Writes to the first name that is free, so that no earlier picture is lost. @returns the name */
async function writeNew(server: string, bytes: Buffer): Promise<string> {
	for (let n = 1; n <= mostFiles; n++) {
		const file = `${server}-${n}.png`;
		try {
			await writeFile(file, bytes, { flag: "wx" });
			return file;
		} catch (error) {
			if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
		}
	}
	throw new BulkheadError(
		"bad-input",
		`there are ${mostFiles} pictures of ${server} here; name a file with --output`,
	);
}
