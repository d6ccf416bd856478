import { open as openFile } from "node:fs/promises";
import type { Command } from "commander";
import { BulkheadError } from "../../api/errors.ts";
import type { Plan } from "../../api/plan.ts";
import { createProgressView } from "../apply-progress.ts";
import { type Context, confirm, type Open } from "../context.ts";
import { InFile } from "../failure.ts";
import { destroyQuestion, isEmpty, planLines } from "../plan-view.ts";
import { styled } from "../terminal.ts";

/** The API takes no longer ones, in characters; a character is at most four bytes. */
const longestText = 1_000_000;

interface Options {
	yes?: boolean;
}

export function addApply(program: Command, open: Open): void {
	program
		.command("apply")
		.summary("make the site as a file says")
		.description(
			"Makes the site as a file says: shows what changes, asks before a disk is destroyed, then does it. A file with mistakes changes nothing; each mistake is shown with its line.",
		)
		.argument("<file>", "the site file, such as site.yaml")
		.option("-y, --yes", "destroy what the file no longer names, without asking")
		.addHelpText("after", "\nExamples:\n  bulkhead apply site.yaml\n  bulkhead apply --yes site.yaml --json")
		.action((file: string, options: Options, command: Command) => apply(open(command), file, options));
}

async function apply(context: Context, file: string, options: Options): Promise<void> {
	const text = await readSite(file);
	const plan = await planOf(context, file, text);
	if (isEmpty(plan)) return nothingToDo(context, file, plan);
	if (!context.json) context.terminal.print(...planLines(plan), []);
	if (plan.destructive) await confirm(context, destroyQuestion(plan), options.yes);
	const said = await carryOut(context, plan, text);
	if (context.json) context.terminal.json({ plan, applied: true, text: said });
	else context.terminal.print([styled(said, "green")]);
}

async function planOf(context: Context, file: string, text: string): Promise<Plan> {
	try {
		return await context.client.call("plan", {}, { text }, { signal: context.signal });
	} catch (error) {
		throw error instanceof BulkheadError ? new InFile(file, error) : error;
	}
}

function nothingToDo(context: Context, file: string, plan: Plan): void {
	const text = `Nothing to do: site ${plan.site} is as ${file} says.`;
	if (context.json) context.terminal.json({ plan, applied: false, text });
	else context.terminal.print([text]);
}

async function carryOut(context: Context, plan: Plan, text: string): Promise<string> {
	const view = createProgressView(context.terminal, context.json);
	const body = { text, fingerprint: plan.fingerprint, confirmed: plan.destructive };
	try {
		const said = await context.client.apply(body, (progress) => view.show(progress), context.signal);
		await view.end(false);
		return said;
	} catch (error) {
		await view.end(true);
		throw error;
	}
}

/** @throws BulkheadError when it cannot be read, is too large for a site, or is not UTF-8 */
async function readSite(file: string): Promise<string> {
	const text = decode(file, await readBounded(file));
	if (text.length <= longestText) return text;
	throw tooLarge(file);
}

async function readBounded(file: string): Promise<Buffer> {
	try {
		await using handle = await openFile(file);
		const chunks: Buffer[] = [];
		let size = 0;
		for await (const chunk of handle.createReadStream({ autoClose: false })) {
			size += chunk.length;
			if (size > longestText * 4) throw tooLarge(file);
			chunks.push(chunk);
		}
		return Buffer.concat(chunks);
	} catch (error) {
		if (error instanceof BulkheadError) throw error;
		throw new BulkheadError("bad-input", `cannot read ${file}: ${readReason(error)}`, { cause: error });
	}
}

function readReason(error: unknown): string {
	const code = error instanceof Error && "code" in error ? error.code : undefined;
	if (code === "ENOENT") return "there is no such file";
	if (code === "EACCES") return "it may not be read by you";
	if (code === "EISDIR") return "it is a folder; name the site file in it";
	return error instanceof Error ? error.message : String(error);
}

function decode(file: string, bytes: Buffer): string {
	try {
		return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
	} catch (error) {
		throw new BulkheadError("bad-input", `${file} is not UTF-8 text; is it a site file?`, { cause: error });
	}
}

function tooLarge(file: string): BulkheadError {
	return new BulkheadError("bad-input", `${file} is longer than a million characters; is it a site file?`);
}
