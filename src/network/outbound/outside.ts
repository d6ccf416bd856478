import { z } from "zod";
import { run } from "../../host/command.ts";
import { inside } from "../namespace.ts";

/** The network that the outer end of a way out is in: the host's own, or that of a namespace, which tests put in its place. */
export interface Outside {
	namespace?: string | undefined;
}

const deadlineMs = 10_000;

/** Runs a command there. @returns its standard output. @throws CommandError */
export async function at({ namespace }: Outside, command: readonly string[], input = ""): Promise<string> {
	if (namespace !== undefined) return await inside(namespace, command, input);
	const [file = "", ...args] = command;
	return (await run(file, args, { deadlineMs, input })).stdout;
}

const links = z.array(z.object({ ifname: z.string() }));

/** @returns the names of its interfaces. @throws CommandError */
export async function interfacesOf(outside: Outside): Promise<string[]> {
	return links.parse(JSON.parse(await at(outside, ["ip", "-j", "link", "show"]))).map(({ ifname }) => ifname);
}
