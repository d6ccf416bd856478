import type { Command } from "commander";
import type { ServerView } from "../../api/server.ts";
import { answer, type Context, type Open } from "../context.ts";
import { actAndWait } from "../server-action.ts";
import { longestWaitMs } from "../wait.ts";

export function addSeal(program: Command, open: Open): void {
	program
		.command("seal")
		.summary("make the seal anew that its sessions start from")
		.description(
			"Boots the server once more, apart from the network and without its data disks, and freezes it when it is ready. The running session serves on. A server that recovers warm is sealed by itself; this makes the seal anew.",
		)
		.argument("<server>")
		.option("--no-wait", "do not wait until the seal is made")
		.action((server: string, options: { wait: boolean }, command: Command) =>
			seal(open(command), server, options.wait),
		);
}

async function seal(context: Context, server: string, wait: boolean): Promise<void> {
	const { signal } = context;
	const act = () => context.client.call("seal", { server }, null, { signal });
	const judge = (view: ServerView) => {
		if (view.warm?.seal === "ready") return "reached" as const;
		if (view.state === "failed" || view.state === "stopped")
			return { never: `${server} is ${view.state}: it is sealed when it runs` };
		const why = view.warm?.why ?? "";
		return view.warm?.seal === "none" && why.startsWith("it could not")
			? { never: `no seal: ${why}` }
			: "waiting";
	};
	const waited = { judge, longestMs: longestWaitMs, what: `the seal of ${server}` };
	const view = await actAndWait(context, server, "sealing", act, wait ? waited : undefined);
	answer(context, view, () => [
		[wait ? `${server} is sealed: its next sessions start from there.` : `${server} is being sealed.`],
	]);
}
