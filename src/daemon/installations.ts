import { z } from "zod";
import type { Context } from "./context.ts";
import { isInstalling } from "./resolve.ts";
import type { ServerUnit } from "./server-unit.ts";

/** Where the scripts of an unattended installation say that they are done (src/templates/windows/scripts/finish.ps1). */
const finishedFile = "C:\\Bulkhead\\finished.json";
const largest = 64 * 1024;
const readsWithinMs = 5000;

/** The guest's word, checked: what it says decides nothing but what is told. */
const finishedSchema = z.object({
	ok: z.boolean(),
	steps: z.array(z.object({ name: z.string().max(100), result: z.string().max(200) })).max(100),
	passwordsLeftIn: z.array(z.string().max(300)).max(50).default([]),
});

/**
 * Looks whether an unattended installation has finished; then its discs are taken out, and the answers, which hold passwords,
 * are removed. Never throws: the next look is soon.
 */
export async function lookAtInstallation(unit: ServerUnit, context: Context): Promise<void> {
	const { name } = unit.stored;
	try {
		const text = isInstalling(unit.stored)
			? await unit.readGuestFile(finishedFile, largest, readsWithinMs)
			: undefined;
		if (text === undefined) return;
		const { ok, steps, passwordsLeftIn } = finishedSchema.parse(JSON.parse(text.toString("utf8")));
		await unit.eject(context);
		const failed = steps
			.filter(({ result }) => result !== "done")
			.map(({ name, result }) => `${name}: ${result}`);
		const left = passwordsLeftIn.length > 0 ? [`passwords are left in ${passwordsLeftIn.join(", ")}`] : [];
		const words = ok
			? "Windows is installed"
			: `Windows is installed, and not all went well: ${[...failed, ...left].join("; ")}`;
		const said = `${words}; its discs are out, its answers are removed`;
		context.history.append({ at: Date.now(), server: name, session: null, kind: "site", text: said });
	} catch (err) {
		context.log.warn({ err, server: name }, "whether its installation has finished cannot be told");
	}
}
