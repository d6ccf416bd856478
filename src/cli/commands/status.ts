import type { Command } from "commander";
import { answer, type Context, type Open } from "../context.ts";
import { pairs } from "../table.ts";
import { formatAgo, formatTime } from "../time.ts";

const accelerators = {
	kvm: "kvm: hardware virtualization",
	tcg: "tcg: emulation, many times slower; `bulkhead doctor` says why",
};

export function addStatus(program: Command, open: Open): void {
	program
		.command("status")
		.summary("say whether the daemon runs, and how")
		.action((_options: object, command: Command) => status(open(command)));
}

async function status(context: Context): Promise<void> {
	const daemon = await context.client.call("status", {}, null, { signal: context.signal });
	answer(context, daemon, () =>
		pairs([
			["Daemon", `Bulkhead ${daemon.version}, process ${daemon.pid}`],
			["Since", `${formatTime(daemon.startedAt)} (${formatAgo(daemon.startedAt)})`],
			["State", daemon.state],
			["Site", daemon.site ?? "none yet: `bulkhead apply FILE` makes one"],
			["Runs guests by", accelerators[daemon.accelerator]],
		]),
	);
}
