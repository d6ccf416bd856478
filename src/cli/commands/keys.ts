import { type Command, InvalidArgumentError, Option } from "commander";
import { BulkheadError } from "../../api/errors.ts";
import { keysOf } from "../../api/keys.ts";
import { answer, type Context, type Open } from "../context.ts";
import { secretIn } from "../secret.ts";
import { plural } from "../server-view.ts";

interface Options {
	text?: string[];
	textFile?: string;
}

export function addKeys(program: Command, open: Open): void {
	program
		.command("keys")
		.summary("press keys on its keyboard")
		.description(
			[
				"Presses keys one after the other: `ret`, `esc`, `f2`, `left`; `ctrl-alt-delete` for keys that belong together.",
				"With --text, types a text as on a US keyboard first. For installers and logins on the screen: see `bulkhead screen`.",
				"A password by --text-file: what stands on a command line everybody on this host can read.",
			].join("\n"),
		)
		.argument("<server>")
		.argument("[keys...]", "by QEMU's names, as ret, esc, ctrl-alt-delete")
		.option("--text <text>", "what to type before them", textArgument)
		.addOption(
			new Option(
				"--text-file <file>",
				"a file whose first line is typed before them, - for standard input",
			).conflicts("text"),
		)
		.action((server: string, keys: string[], options: Options, command: Command) =>
			press(open(command), server, keys, options),
		);
}

async function press(context: Context, server: string, named: string[], options: Options): Promise<void> {
	const typed = options.text ?? (await keysIn(context, options.textFile));
	const keys = [...typed, ...named];
	if (keys.length === 0)
		throw new BulkheadError("bad-input", "no key is named; name some, such as ret, or give a --text");
	const { client, signal } = context;
	const view = await client.call("keys", { server }, { keys }, { signal });
	answer(context, view, () => [[`Pressed ${plural(view.pressed, "key")} on ${server}.`]]);
}

async function keysIn(context: Context, file: string | undefined): Promise<string[]> {
	if (file === undefined) return [];
	const text = await secretIn(context, file, "--text-file");
	try {
		return keysOf(text);
	} catch (cause) {
		if (cause instanceof RangeError)
			throw new BulkheadError("bad-input", `--text-file: ${cause.message}`, { cause });
		throw cause;
	}
}

function textArgument(text: string): string[] {
	try {
		return keysOf(text);
	} catch (error) {
		throw new InvalidArgumentError(error instanceof RangeError ? `${error.message}.` : String(error));
	}
}
