import type { Duplex } from "node:stream";
import type { Command } from "commander";
import { ConsoleFilter, terminalReset } from "../console-filter.ts";
import type { Context, Open } from "../context.ts";
import type { Terminal } from "../terminal.ts";

/** Ctrl-], as telnet and virsh use it. */
const leaveKey = 0x1d;

export function addConsole(program: Command, open: Open): void {
	program
		.command("console")
		.summary("open its serial console (Ctrl-] leaves)")
		.description(
			"Opens a server's serial console. Ctrl-] leaves it; every other key, Ctrl-C too, goes to the server. What a server sends may draw on the terminal, but not reach its clipboard, title or windows.",
		)
		.argument("<server>")
		.action((server: string, _options: object, command: Command) => {
			const context = open(command);
			if (context.json) command.error("error: a console has no --json");
			return openConsole(context, server);
		});
}

async function openConsole(context: Context, server: string): Promise<void> {
	const { terminal, signal } = context;
	await using stream = await context.client.console(server, { signal });
	terminal.note([`Console of ${server}. Ctrl-] leaves it. Press Enter when it stays silent.`]);
	const ended = await attach(terminal, stream, signal);
	terminal.note(
		[],
		[ended === "left" ? `Left the console of ${server}.` : `The console of ${server} has ended.`],
	);
}

/** Connects keyboard and screen with the stream until one of them ends. @throws what broke the stream, or the signal's reason */
async function attach(terminal: Terminal, stream: Duplex, signal: AbortSignal): Promise<"left" | "ended"> {
	const { input, output } = terminal.streams;
	const { promise, resolve, reject } = Promise.withResolvers<"left" | "ended">();
	const filter = new ConsoleFilter();
	const onKeys = (keys: Buffer) => {
		const leave = input.isTTY ? keys.indexOf(leaveKey) : -1;
		if (leave !== 0) stream.write(leave > 0 ? keys.subarray(0, leave) : keys);
		if (leave >= 0) resolve("left");
	};
	const onAbort = () => reject(signal.reason);
	stream.on("data", (bytes: Buffer) => output.write(output.isTTY ? filter.push(bytes) : bytes));
	stream.once("error", reject);
	stream.once("close", () => resolve("ended"));
	stream.once("end", () => resolve("ended"));
	signal.addEventListener("abort", onAbort, { once: true });
	input.on("data", onKeys);
	input.setRawMode?.(true);
	input.resume();
	try {
		return await promise;
	} finally {
		input.setRawMode?.(false);
		input.off("data", onKeys);
		input.pause();
		signal.removeEventListener("abort", onAbort);
		if (output.isTTY) output.write(terminalReset);
	}
}
