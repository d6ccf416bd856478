import { type Command, Option } from "commander";
import type { Open } from "../context.ts";
import { replaceProcess } from "../replace.ts";

const levels = ["trace", "debug", "info", "warn", "error", "fatal"];

export function addDaemon(program: Command, open: Open): void {
	program
		.command("daemon")
		.summary("run the daemon in the foreground, as root")
		.description(
			"Runs the daemon in the foreground, as root. It logs JSON lines to standard error. It can be ended or replaced at any moment: sessions run on, and the next daemon adopts them.",
		)
		.addOption(
			new Option("--log-level <level>", "least level that is logged").choices(levels).default("info"),
		)
		.action((options: { logLevel: string }, command: Command) => {
			replaceProcess("daemon/main.ts", ["--log-level", options.logLevel], open(command).state);
		});
}
