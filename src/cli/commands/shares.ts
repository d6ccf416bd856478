import { resolve } from "node:path";
import type { Command } from "commander";
import type { SharesView, ShareView } from "../../api/share.ts";
import { shown } from "../activity.ts";
import { answer, type Context, type Open } from "../context.ts";
import { goingOn } from "../interrupted.ts";
import { table } from "../table.ts";
import { type Line, styled } from "../terminal.ts";

const longestMs = 120_000;

/** Shows what became of a change for which nobody waits any more. */
const see = "bulkhead domain share list";

interface AddOptions {
	allowGroup?: string[];
	readOnly?: boolean;
	listen?: string[];
}

/** `domain share …`. */
export function addShares(domain: Command, open: Open): void {
	const share = domain
		.command("share")
		.summary("folders of this host that users of its domain reach")
		.description(
			"Users of the domain that this host is a member of reach them with their own accounts, by SMB, also while no controller answers (who has a ticket, or is connected). Files and folders are never deleted by this.",
		);
	share
		.command("add")
		.summary("let users of the domain reach a folder of this host")
		.description(
			"The groups get rights on the folder, and on what is made in it from then on; what is in it already keeps its own.",
		)
		.argument("<name>", "what it is called on the network")
		.argument("<path>", "a folder of root's")
		.option("--allow-group <group...>", "let only members of these groups of the domain reach it")
		.option("--read-only", "let nobody change anything in it")
		.option(
			"--listen <address...>",
			"addresses of this host at which all shares are served (those in private networks)",
		)
		.action((name: string, path: string, options: AddOptions, command: Command) =>
			add(open(command), name, path, options),
		);
	share
		.command("list")
		.summary("show all shared folders")
		.action((_options: object, command: Command) => list(open(command)));
	share
		.command("remove")
		.summary("let nobody reach a shared folder any more; it stays as it is")
		.argument("<name>", "of the share")
		.action((name: string, _options: object, command: Command) => remove(open(command), name));
}

async function add(context: Context, name: string, path: string, options: AddOptions): Promise<void> {
	const { client, signal, terminal, json } = context;
	const { allowGroup: groups = [], readOnly = false, listen = null } = options;
	const body = { name, path: resolve(path), groups, readOnly, listen };
	const call = async () => await client.call("addShare", {}, body, { signal, deadlineMs: longestMs });
	const view = await goingOn(see, async () => await shown(terminal, `sharing ${path}`, json, call));
	answer(context, view, () => linesOf(view));
}

async function list(context: Context): Promise<void> {
	const { shares } = await context.client.call("shares", {}, null, { signal: context.signal });
	answer(context, { shares }, () =>
		shares
			? linesOf(shares)
			: [
					[
						"This host is a member of no domain, whose users could reach it; see: bulkhead domain join --help",
					],
				],
	);
}

async function remove(context: Context, share: string): Promise<void> {
	const { client, signal } = context;
	const call = async () =>
		await client.call("removeShare", { share }, null, { signal, deadlineMs: longestMs });
	const removed = await goingOn(see, call);
	answer(context, removed, () => [
		[`${removed.path} is shared no more. It and what is in it stay as they are, with the rights on it.`],
	]);
}

/** Shares for people. */
export function linesOf({ host, named, listen, shares, trouble }: SharesView): Line[] {
	if (shares.length === 0) return [["No folder is shared; see: bulkhead domain share add --help"]];
	const rows = shares.map(
		(share): Line => [
			`\\\\${host}\\${share.name}`,
			share.path,
			share.groups?.join(", ") ?? "every user of the domain",
			share.readOnly ? "read" : "read and write",
			share.trouble === null && trouble === null ? styled("served", "green") : styled("not served", "red"),
		],
	);
	return [
		...table(
			["SHARE", "FOLDER", "WHO", "MAY", "STATE"].map((title) => ({ title })),
			rows,
		),
		[`Served at ${listen.join(", ")}, port 445.`],
		...(named
			? []
			: [[styled(`The domain's DNS does not know ${host} yet; clients ask it for that name.`, "yellow")]]),
		...(trouble === null ? [] : [[styled(trouble, "red")]]),
		...shares.flatMap((share: ShareView) => (share.trouble === null ? [] : [[styled(share.trouble, "red")]])),
	];
}
