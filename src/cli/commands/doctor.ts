import type { Command } from "commander";
import type { Open } from "../context.ts";
import { replaceProcess } from "../replace.ts";

export function addDoctor(program: Command, open: Open): void {
	program
		.command("doctor")
		.summary("check what this host can do and lacks")
		.description(
			"Checks what this host can do for Bulkhead, and says how to mend what it lacks. Needs no daemon.",
		)
		.action((_options: object, command: Command) => {
			const { json, state } = open(command);
			replaceProcess("daemon/doctor/main.ts", json ? ["--json"] : [], state);
		});
}
