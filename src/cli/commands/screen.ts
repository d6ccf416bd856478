import { createServer, type Socket } from "node:net";
import type { Command } from "commander";
import { BulkheadError, explain } from "../../api/errors.ts";
import type { Context, Open } from "../context.ts";
import { portArgument } from "../options.ts";

export function addScreen(program: Command, open: Open): void {
	program
		.command("screen")
		.summary("open its screen, keyboard and pointer to a VNC viewer")
		.description(
			[
				"Listens on this machine (127.0.0.1) for VNC viewers, until Ctrl-C, and connects them with the server's screen.",
				"Every user of this machine can connect meanwhile: there is no password. From elsewhere come by SSH: ssh -L 5900:127.0.0.1:5900 HOST",
			].join("\n"),
		)
		.argument("<server>")
		.option("--port <port>", "where to listen (any free one from 5900 on)", portArgument)
		.action((server: string, { port }: { port?: number }, command: Command) => {
			const context = open(command);
			if (context.json) command.error("error: a screen has no --json");
			return openScreen(context, server, port);
		});
}

async function openScreen(context: Context, server: string, wanted: number | undefined): Promise<void> {
	const { terminal, signal } = context;
	// One connection beforehand tells whether there is a screen at all.
	(await context.client.screen(server, { signal })).destroy();
	const listening = createServer((viewer) => void join(context, server, viewer));
	const port = await listen(listening, wanted);
	terminal.note([
		`The screen of ${server}: point a VNC viewer at 127.0.0.1:${port}, as`,
		` vncviewer 127.0.0.1::${port}`,
	]);
	terminal.note(["Ctrl-C ends it."]);
	await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
	listening.close();
	signal.throwIfAborted();
}

const firstPort = 5900;
const ports = 100;

async function listen(
	listening: ReturnType<typeof createServer>,
	wanted: number | undefined,
): Promise<number> {
	const candidates = wanted === undefined ? Array.from({ length: ports }, (_, i) => firstPort + i) : [wanted];
	let last: unknown;
	for (const port of candidates) {
		try {
			await new Promise<void>((resolve, reject) => {
				listening.once("error", reject);
				listening.listen(port, "127.0.0.1", () => {
					listening.off("error", reject);
					resolve();
				});
			});
			return port;
		} catch (error) {
			last = error;
		}
	}
	const where = wanted === undefined ? `ports ${firstPort} to ${firstPort + ports - 1}` : `port ${wanted}`;
	throw new BulkheadError(
		"bad-input",
		`${where} cannot be listened on: ${explain(last)}; choose another --port`,
	);
}

async function join({ client, signal, terminal }: Context, server: string, viewer: Socket): Promise<void> {
	viewer.on("error", () => viewer.destroy());
	try {
		const screen = await client.screen(server, { signal });
		screen.on("error", () => screen.destroy());
		screen.on("close", () => viewer.destroy());
		viewer.on("close", () => screen.destroy());
		signal.addEventListener("abort", () => viewer.destroy(), { once: true });
		viewer.pipe(screen).pipe(viewer);
	} catch (error) {
		viewer.destroy();
		terminal.note([`A viewer could not be connected: ${explain(error)}`]);
	}
}
