import { Argument, type Command } from "commander";
import { answer, type Context, type Open } from "../context.ts";

export function addMaintenance(program: Command, open: Open): void {
	program
		.command("maintenance")
		.summary("stop or resume judging its failures")
		.description(
			"While maintenance is on, nothing that the server does counts as a failure: it may reboot, install and stand still.",
		)
		.addArgument(new Argument("<on|off>").choices(["on", "off"]))
		.argument("<server>")
		.action((mode: string, server: string, _options: object, command: Command) =>
			maintenance(open(command), server, mode === "on"),
		);
}

async function maintenance(context: Context, server: string, on: boolean): Promise<void> {
	const view = await context.client.call("maintenance", { server }, { on }, { signal: context.signal });
	answer(context, view, () => [
		[
			view.maintenance
				? `Failures of ${view.name} are not judged until \`bulkhead maintenance off ${view.name}\`.`
				: `Failures of ${view.name} are judged again.`,
		],
	]);
}
