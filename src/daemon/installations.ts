import { z } from "zod";
import type { Context } from "./context.ts";
import { isInstalling } from "./resolve.ts";
import type { ServerUnit } from "./server-unit.ts";

/** Where the scripts of an unattended installation say that they are done (src/templates/windows/scripts/finish.ps1). */
const finishedFile = "C:\\Bulkhead\\finished.json";
const largest = 64 * 1024;
const readsWithinMs = 5000;

const text = z.string().transform((words) => words.slice(0, 200));
const list = <T extends z.ZodType>(of: T) => z.array(of).transform((items) => items.slice(0, 50));

/** The guest's word, cut: what it says decides nothing but what is told. */
const finishedSchema = z.object({
	ok: z.boolean(),
	steps: list(z.object({ name: text, result: text })),
	passwordsLeftIn: list(text).default([]),
});

/** @returns in words how it went, as far as that can be read */
function wordsOf(said: string): string {
	const read = finishedSchema.safeParse(parsed(said));
	if (!read.success) return "Windows is installed, and its report cannot be read";
	const { ok, steps, passwordsLeftIn } = read.data;
	if (ok) return "Windows is installed";
	const failed = steps
		.filter(({ result }) => result !== "done")
		.map(({ name, result }) => `${name}: ${result}`);
	const left = passwordsLeftIn.length > 0 ? [`passwords are left in ${passwordsLeftIn.join(", ")}`] : [];
	return `Windows is installed, and not all went well: ${[...failed, ...left].join("; ")}`;
}

function parsed(said: string): unknown {
	try {
		return JSON.parse(said);
	} catch {
		return undefined;
	}
}

/**
 * Looks whether an unattended installation has finished; then its discs are taken out, and the answers, which hold passwords,
 * are removed. Never throws: the next look is soon.
 * @param eject takes discs out, when nothing else of the site is being changed
 */
export async function lookAtInstallation(
	unit: ServerUnit,
	context: Context,
	eject: (server: string) => Promise<unknown>,
): Promise<void> {
	const { name } = unit.stored;
	try {
		const text = isInstalling(unit.stored)
			? await unit.readGuestFile(finishedFile, largest, readsWithinMs)
			: undefined;
		if (text === undefined) return;
		await eject(name);
		const said = `${wordsOf(text.toString("utf8"))}; its discs are out, its answers are removed`;
		context.history.append({ at: Date.now(), server: name, session: null, kind: "site", text: said });
	} catch (err) {
		context.log.warn({ err, server: name }, "whether its installation has finished cannot be told");
	}
}
