import { type Command, InvalidArgumentError } from "commander";
import { BulkheadError } from "../../api/errors.ts";
import { keysOf } from "../../api/keys.ts";
import { answer, type Context, type Open } from "../context.ts";
import { plural } from "../server-view.ts";

export function addKeys(program: Command, open: Open): void {
	program
		.command("keys")
		.summary("press keys on its keyboard")
		.description(
			[
				"Presses keys one after the other: `ret`, `esc`, `f2`, `left`; `ctrl-alt-delete` for keys that belong together.",
				"With --text, types a text as on a US keyboard first. For installers and logins on the screen: see `bulkhead screen`.",
			].join("\n"),
		)
		.argument("<server>")
		.argument("[keys...]", "by QEMU's names, as ret, esc, ctrl-alt-delete")
		.option("--text <text>", "what to type before them", textArgument)
		.action((server: string, keys: string[], options: { text?: string[] }, command: Command) =>
			press(open(command), server, [...(options.text ?? []), ...keys]),
		);
}

async function press(context: Context, server: string, keys: string[]): Promise<void> {
	if (keys.length === 0)
		throw new BulkheadError("bad-input", "no key is named; name some, such as ret, or give a --text");
	const { client, signal } = context;
	const view = await client.call("keys", { server }, { keys }, { signal });
	answer(context, view, () => [[`Pressed ${plural(view.pressed, "key")} on ${server}.`]]);
}

function textArgument(text: string): string[] {
	try {
		return keysOf(text);
	} catch (error) {
		throw new InvalidArgumentError(error instanceof RangeError ? `${error.message}.` : String(error));
	}
}
