import { BulkheadError } from "../api/errors.ts";
import type { Plan } from "../api/plan.ts";
import { createProgressView } from "./apply-progress.ts";
import type { Context } from "./context.ts";
import { InFile } from "./failure.ts";

/** What applying a site file's text would do. @throws InFile */
export async function planOf(context: Context, file: string, text: string): Promise<Plan> {
	try {
		return await context.client.call("plan", {}, { text }, { signal: context.signal });
	} catch (error) {
		throw error instanceof BulkheadError ? new InFile(file, error) : error;
	}
}

/** Does it, and shows how it goes on. @returns the daemon's last words */
export async function carryOut(context: Context, plan: Plan, text: string): Promise<string> {
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
