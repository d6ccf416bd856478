import type { Command } from "commander";
import { answer, type Context, type Open } from "../context.ts";

export function addEject(program: Command, open: Open): void {
	program
		.command("eject")
		.summary("take the discs out of its CD drives")
		.description(
			"Takes the discs out, of its next sessions too; another disc that the site file names goes in with the next session. The files themselves are not touched.",
		)
		.argument("<server>")
		.action((server: string, _options: object, command: Command) => eject(open(command), server));
}

async function eject(context: Context, server: string): Promise<void> {
	const { client, signal } = context;
	const view = await client.call("eject", { server }, null, { signal });
	answer(context, view, () =>
		view.discs.length === 0
			? [[`${server} has no disc in a drive.`]]
			: view.discs.map((disc) => [`${disc} is out of the drive of ${server}.`]),
	);
}
