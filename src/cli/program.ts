import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { Command } from "commander";
import { defaultState, socketPath } from "../api/routes.ts";
import { Client } from "../client/http.ts";
import { addApply } from "./commands/apply.ts";
import { addConsole } from "./commands/console.ts";
import { addConvertToVirtio } from "./commands/convert-to-virtio.ts";
import { addCreate } from "./commands/create.ts";
import { addDaemon } from "./commands/daemon.ts";
import { addDelete } from "./commands/delete.ts";
import { addDoctor } from "./commands/doctor.ts";
import { addDomain } from "./commands/domain.ts";
import { addDrill } from "./commands/drill.ts";
import { addEject } from "./commands/eject.ts";
import { addEvents } from "./commands/events.ts";
import { addExport } from "./commands/export.ts";
import { addImport } from "./commands/import.ts";
import { addIncidents } from "./commands/incidents.ts";
import { addKeys } from "./commands/keys.ts";
import { addList } from "./commands/list.ts";
import { addMaintenance } from "./commands/maintenance.ts";
import { addPublish, addUnpublish } from "./commands/publish.ts";
import { addRenew } from "./commands/renew.ts";
import { addRestart } from "./commands/restart.ts";
import { addSandbox } from "./commands/sandbox.ts";
import { addScreen } from "./commands/screen.ts";
import { addScreenshot } from "./commands/screenshot.ts";
import { addSeal } from "./commands/seal.ts";
import { addServices } from "./commands/services.ts";
import { addShow } from "./commands/show.ts";
import { addStart } from "./commands/start.ts";
import { addStatus } from "./commands/status.ts";
import { addStop } from "./commands/stop.ts";
import { addTraffic } from "./commands/traffic.ts";
import type { Open } from "./context.ts";
import type { Terminal } from "./terminal.ts";

const groups = [
	["Begin:", [addDoctor, addDaemon, addCreate, addImport, addApply]],
	["Look:", [addList, addShow, addSandbox, addTraffic, addServices, addIncidents, addEvents, addStatus]],
	[
		"Act on a server:",
		[
			addStart,
			addStop,
			addRestart,
			addDelete,
			addRenew,
			addSeal,
			addMaintenance,
			addDrill,
			addExport,
			addConvertToVirtio,
		],
	],
	["Reach a server:", [addPublish, addUnpublish, addConsole, addScreen, addKeys, addEject, addScreenshot]],
	["This host:", [addDomain]],
] as const;

const afterHelp = `
Examples, the main path:
  bulkhead doctor                   what this host lacks, and how to mend it
  bulkhead daemon                   run the daemon (as root, in another terminal or as a service)
  bulkhead apply site.yaml          make the servers that the file describes
  bulkhead list                     see them run
  bulkhead drill intranet panic     make one fail on purpose, and watch it come back
  bulkhead incidents                what failed, when and why
  bulkhead incidents intranet-1     the story of one failure, step by step

Exit codes: 0 done; 1 failed, and says why; 2 wrong use; 130 interrupted by Ctrl-C, 129 by a
terminal that went away, 143 by SIGTERM, 141 because nobody reads its output any more.
With --json, standard output gets one JSON document, whatever happens: the answer, or
{"error": {"code", "message", "problems"}} when the exit code is not 0.`;

/** All commands. @param signal aborts when the user presses Ctrl-C, and when it is ended otherwise */
export function createProgram(terminal: Terminal, signal: AbortSignal): Command {
	const program = new Command("bulkhead")
		.description(
			"Runs the servers that a small business cannot trust and cannot drop, each as a disposable virtual machine session. When one fails, it is started again and its users' connections are held meanwhile.",
		)
		.version(version(), "-V, --version", "print the version")
		.option("--json", "answer with one JSON document instead of text for people")
		.option("--state <dir>", `state directory (default: BULKHEAD_STATE, or ${defaultState})`)
		.addHelpText("after", afterHelp)
		.configureHelp({ showGlobalOptions: true, subcommandTerm: termOf });
	const open = opener(terminal, signal);
	for (const [heading, adders] of groups) {
		program.commandsGroup(heading);
		for (const add of adders) add(program, open);
	}
	program.commandsGroup("Begin:").helpCommand("help [command]", "explain a command");
	return program;
}

/** A command in the overview: its name and arguments, without `[options]`, which all of them have. */
function termOf(command: Command): string {
	const args = command.registeredArguments.map((argument) => {
		const name = argument.variadic ? `${argument.name()}...` : argument.name();
		return argument.required ? `<${name}>` : `[${name}]`;
	});
	return [command.name(), ...args].join(" ");
}

function opener(terminal: Terminal, signal: AbortSignal): Open {
	return (command) => {
		const options: { json?: boolean; state?: string } = command.optsWithGlobals();
		const chosen = options.state ?? terminal.streams.environment.BULKHEAD_STATE;
		const state = chosen ? resolve(chosen) : defaultState;
		return { client: new Client(socketPath(state)), terminal, json: options.json === true, state, signal };
	};
}

function version(): string {
	const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
	return (JSON.parse(text) as { version: string }).version;
}
