import { PassThrough, Writable } from "node:stream";
import { run } from "./run.ts";
import { Terminal } from "./terminal.ts";

export interface Said {
	code: number;
	out: string;
	err: string;
}

export interface Setting {
	state: string;
	/** Pretends that a person sits at a terminal of 100 columns, and types this. */
	typed?: string;
	/** What comes by standard input, to its end, when nobody types; without either nothing comes. */
	piped?: string;
	environment?: Record<string, string>;
	signal?: AbortSignal;
}

/** Runs a command line within this process, for tests. */
export async function runHere(args: readonly string[], setting: Setting): Promise<Said> {
	const tty = setting.typed !== undefined;
	const shape = { isTTY: tty, columns: 100 };
	const input = Object.assign(new PassThrough(), shape);
	const output = Object.assign(new Collector(), shape);
	const errors = Object.assign(new Collector(), shape);
	const environment = { BULKHEAD_STATE: setting.state, LANG: "C.UTF-8", ...setting.environment };
	const terminal = new Terminal({ input, output, errors, environment });
	if (tty) input.write(setting.typed);
	else if (setting.piped !== undefined) input.end(setting.piped);
	const code = await run(args, terminal, setting.signal ?? new AbortController().signal);
	return { code, out: output.text, err: errors.text };
}

class Collector extends Writable {
	text = "";
	override _write(chunk: Buffer, _encoding: string, done: () => void): void {
		this.text += String(chunk);
		done();
	}
}
