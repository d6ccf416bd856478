import { hostname } from "node:os";
import type { Command } from "commander";
import { type DomainCreated, type DomainView, dnsAddress, shortNameOf } from "../../api/domain.ts";
import { BulkheadError } from "../../api/errors.ts";
import { shown } from "../activity.ts";
import { answer, type Context, type Open } from "../context.ts";
import { goingOn } from "../interrupted.ts";
import { newSecret, secretOf } from "../secret.ts";
import { pairs } from "../table.ts";
import { type Line, styled } from "../terminal.ts";
import { formatAgo } from "../time.ts";
import { addAccounts, addCheck, addReplication } from "./accounts.ts";
import { addShares } from "./shares.ts";

const longestMs = 300_000;
/** Its template may have to be built first. */
const longestCreateMs = 40 * 60_000;

/** Shows what became of a join or a leave for which nobody waits any more. */
const seeStatus = "bulkhead domain status";

interface CreateOptions {
	realm: string;
	workgroup?: string;
	passwordFile?: string;
}

interface UseOptions {
	realm: string;
	workgroup?: string;
}

interface JoinOptions {
	controller: string[];
	user: string;
	passwordFile?: string;
	name?: string;
	replace?: boolean;
	logins?: boolean;
	allowGroup?: string;
	adminGroup?: string;
	dns?: boolean;
}

export function addDomain(program: Command, open: Open): void {
	const domain = program
		.command("domain")
		.summary("Active Directory: make a domain, make this host a member of one")
		.description(
			[
				"Makes this host a member of a domain, whether one of its own servers is its controller or another machine.",
				"All that belongs to it lies in Bulkhead's state directory; nothing below /etc is changed unless its users are to log in to the host (join --logins) or its names to be found there (join --dns), and the host needs no controller to start.",
			].join("\n"),
		);
	domain
		.command("create")
		.summary("make a new domain, and start the servers that are its controllers")
		.description(
			"The servers are of the template debian-domain-controller and have never been started. Their names are the controllers' in the domain, their addresses are written into it. With two of them nobody waits for one that has failed.",
		)
		.argument("<servers...>", "names of the servers, the first controller first")
		.requiredOption("--realm <realm>", "name of the domain, as ad.example.com")
		.option("--workgroup <name>", "what it is called for short (the realm's first word)")
		.option(
			"--password-file <file>",
			"where the Administrator's password is, - for standard input (asked for otherwise)",
		)
		.action((servers: string[], options: CreateOptions, command: Command) =>
			create(open(command), servers, options),
		);
	addUse(domain, open);
	domain
		.command("join")
		.summary("make this host a member of a domain")
		.argument("<realm>", "as ad.example.com")
		.requiredOption("--controller <address...>", "addresses of the domain's controllers")
		.option("--user <name>", "who may add computers to the domain", "Administrator")
		.option(
			"--password-file <file>",
			"where that one's password is, - for standard input (asked for otherwise)",
		)
		.option("--name <name>", "what this host is called there (its own name, 15 characters at most)")
		.option("--replace", "take over an account of that name that is there already")
		.option("--logins", "let the domain's users log in to this host; `bulkhead domain leave` undoes it")
		.option("--allow-group <name>", "let only members of this group log in")
		.option(
			"--admin-group <name>",
			"with --logins: let members of this group do all that Bulkhead can; whoever rules the domain decides who that is",
		)
		.option(
			"--dns",
			"ask the controllers for the domain's names, and for no others; `bulkhead domain leave` undoes it",
		)
		.action((realm: string, options: JoinOptions, command: Command) => join(open(command), realm, options));
	addAccounts(domain, open);
	addCheck(domain, open);
	addReplication(domain, open);
	addShares(domain, open);
	domain
		.command("status")
		.summary("show the membership, and whether its controllers answer")
		.action((_options: object, command: Command) => status(open(command)));
	domain
		.command("leave")
		.summary("end the membership")
		.description(
			"Without a user, or with no controller that answers, the host's account stays in the domain; that is told.",
		)
		.option("--user <name>", "who may remove computers from the domain")
		.option(
			"--password-file <file>",
			"where that one's password is, - for standard input (asked for otherwise)",
		)
		.action((options: { user?: string; passwordFile?: string }, command: Command) =>
			leave(open(command), options),
		);
}

function addUse(domain: Command, open: Open): void {
	domain
		.command("use")
		.summary("tell Bulkhead that servers are controllers of a domain that it did not make")
		.description(
			[
				"For a Windows server that is a domain controller, or any other that became one with its own tools. Each is asked whether it is, and nothing in it is changed. From then on, one that is away yields to the others, and its address stays what the domain's clients know.",
				"Controllers outside of this site need not be told of: bulkhead domain join --controller ADDRESS.",
			].join("\n"),
		)
		.argument("<servers...>", "names of all servers of this site that are its controllers")
		.requiredOption("--realm <realm>", "name of the domain, as ad.example.com")
		.option("--workgroup <name>", "what it is called for short; refused when its controllers say otherwise")
		.action((servers: string[], options: UseOptions, command: Command) =>
			use(open(command), servers, options),
		);
	domain
		.command("forget")
		.summary("take a server for a controller no more, of a domain that Bulkhead did not make")
		.description("Nothing in the server is changed, and it stays what it is.")
		.argument("<server>", "name of the server")
		.action((server: string, _options: object, command: Command) => forget(open(command), server));
}

async function use(context: Context, servers: string[], options: UseOptions): Promise<void> {
	const { client, signal, terminal, json } = context;
	const { realm, workgroup = null } = options;
	const [server = "", ...others] = servers;
	const body = { realm, workgroup, others };
	const call = async () =>
		await client.call("useDomain", { server }, body, { signal, deadlineMs: longestMs });
	const view = await goingOn(
		`bulkhead show ${server}`,
		async () => await shown(terminal, `asking ${servers.join(" and ")}`, json, call),
	);
	const shows = async (one: string) => await client.call("show", { server: one }, null, { signal });
	const addresses = (await Promise.all(servers.map(shows))).map(({ address }) => address).join(" ");
	const are = servers.length === 1 ? "is a controller" : "are controllers";
	answer(context, view, () => [
		[`${servers.join(" and ")} ${are} of ${view.realm} (${view.workgroup}), and Bulkhead knows it now.`],
		[`To make this host a member of it: bulkhead domain join ${view.realm} --controller ${addresses}`],
	]);
}

async function forget(context: Context, server: string): Promise<void> {
	const { client, signal } = context;
	const view = await client.call("forgetDomain", { server }, null, { signal });
	answer(context, view, () => [
		[`${server} is taken for a controller of ${view.realm} no more; nothing in it was changed.`],
	]);
}

async function create(context: Context, servers: string[], options: CreateOptions): Promise<void> {
	const { client, signal, terminal, json } = context;
	const { realm, workgroup = shortNameOf(realm), passwordFile } = options;
	const password = await newSecret(context, "the new Administrator", passwordFile);
	const [server = "", ...others] = servers;
	const body = { realm, workgroup, password, others };
	const call = async () =>
		await client.call("createDomain", { server }, body, { signal, deadlineMs: longestCreateMs });
	const view = await goingOn(
		`bulkhead show ${server}`,
		async () => await shown(terminal, `making the domain ${realm}`, json, call),
	);
	const shows = async (one: string) => await client.call("show", { server: one }, null, { signal });
	const made = await Promise.all(servers.map(shows));
	const inside = made.filter(
		({ published }) => !published.some(({ service }) => service === "active-directory"),
	);
	const addresses = made.map(({ address }) => address).join(" ");
	answer(context, view, () => [
		...madeLines(view),
		...inside.map(({ name }) => [
			`To let it out to this host: bulkhead publish ${name} active-directory --to host`,
		]),
		[`To make this host a member of it: bulkhead domain join ${view.realm} --controller ${addresses}`],
	]);
}

/** One with `start: manual` waits for a person. */
function madeLines({ realm, workgroup, controllers, started }: DomainCreated): Line[] {
	const idle = controllers.filter((name) => !started.includes(name));
	const are = started.length === 1 ? "is starting as its controller" : "are starting as its controllers";
	const starting = started.length === 0 ? "" : `, and ${started.join(" and ")} ${are}`;
	return [
		[`The domain ${realm} (${workgroup}) is made${starting}.`],
		...idle.map((name) => [`${name} does not start by itself: bulkhead start ${name}`]),
	];
}

async function join(context: Context, realm: string, options: JoinOptions): Promise<void> {
	const { client, signal, terminal, json } = context;
	const { controller: controllers, user, replace = false, logins = false } = options;
	const name = options.name ?? (hostname().split(".")[0] ?? "").slice(0, 15);
	const password = await secretOf(context, user, options.passwordFile);
	const { allowGroup = null, adminGroup = null, dns = false } = options;
	const body = { realm, controllers, user, password, name, replace, logins, allowGroup, adminGroup, dns };
	const call = async () => await client.call("joinDomain", {}, body, { signal, deadlineMs: longestMs });
	const view = await goingOn(seeStatus, async () => await shown(terminal, `joining ${realm}`, json, call));
	answer(context, view, () => [
		[`This host is a member of ${view.realm} now, as ${view.name}.`],
		...linesOf(view),
	]);
}

async function status(context: Context): Promise<void> {
	const call = async () =>
		await context.client.call("domain", {}, null, { signal: context.signal, deadlineMs: 60_000 });
	const { domain } = await shown(context.terminal, "asking the controllers", context.json, call);
	answer(context, { domain }, () =>
		domain ? linesOf(domain) : [["This host is a member of no domain; see: bulkhead domain join --help"]],
	);
}

async function leave(context: Context, options: { user?: string; passwordFile?: string }): Promise<void> {
	const { client, signal, terminal, json } = context;
	const { user, passwordFile } = options;
	if (user === undefined && passwordFile !== undefined)
		throw new BulkheadError("bad-input", "--password-file is of nobody; say whose with --user");
	const account = user === undefined ? null : { user, password: await secretOf(context, user, passwordFile) };
	const call = async () =>
		await client.call("leaveDomain", {}, { account }, { signal, deadlineMs: longestMs });
	const { realm, name, left, edited, shared } = await goingOn(
		seeStatus,
		async () => await shown(terminal, "leaving the domain", json, call),
	);
	answer(context, { realm, name, left, edited, shared }, () => [
		[
			realm === null
				? "This host is a member of no domain any more."
				: `This host, ${name}, is no member of ${realm} any more.`,
		],
		...(left === null ? [] : [[styled(`What is left: ${left}`, "yellow")]]),
		...shared.map((path) => [
			`${path} is shared no more. It and what is in it stay as they are, with the rights on it.`,
		]),
		...edited.map((path) => [
			styled(`${path} was changed by somebody else since; only Bulkhead's lines were taken out`, "yellow"),
		]),
	]);
}

function clockText(aheadSeconds: number | null): string {
	if (aheadSeconds === null) return "unknown";
	return aheadSeconds < 0
		? `${-aheadSeconds} s behind this host's`
		: `${aheadSeconds} s ahead of this host's`;
}

/** The membership for people. */
export function linesOf(view: DomainView, now = Date.now()): Line[] {
	const { realm, workgroup, name, controllers, clockAheadSeconds, passwordChangedAt } = view;
	const since = formatAgo(view.since, now);
	const state = view.state === "online" ? styled("online", "green") : styled("offline", "yellow");
	const trust = {
		true: styled("good", "green"),
		false: styled("broken", "red"),
		null: "nobody could be asked",
	}[`${view.trusted}`];
	const answers = controllers.map(({ address, answers: list }) =>
		list.length > 0 ? `${address} (${list.join(", ")})` : `${address} (silent)`,
	);
	return [
		...pairs([
			["Domain", `${realm} (${workgroup})`],
			["This host", name],
			["Logins", view.logins ? (view.allowedGroup ?? "every user of the domain") : "no"],
			["May use Bulkhead", view.adminGroup ?? "nobody of the domain"],
			[
				"Its names",
				view.dns === null
					? "looked up as all others"
					: `asked of the controllers, by way of ${view.dns} and dnsmasq at ${dnsAddress}`,
			],
			["Shares", view.shares.join(", ") || "none"],
			["State", state],
			["Since", since],
			["Controllers", answers.join(", ")],
			["Host's account", trust],
			["Controller's clock", clockText(clockAheadSeconds)],
			[
				"Host's password",
				passwordChangedAt === null ? "unknown" : `changed ${formatAgo(passwordChangedAt, now)}`,
			],
		]),
		...(view.trouble === null ? [] : [[styled(view.trouble, "red")]]),
	];
}
