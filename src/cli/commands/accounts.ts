import type { Command } from "commander";
import type { AdministerBody } from "../../api/domain.ts";
import { BulkheadError } from "../../api/errors.ts";
import { shown } from "../activity.ts";
import { answer, type Context, type Open } from "../context.ts";
import { BadNews } from "../failure.ts";
import { goingOn } from "../interrupted.ts";
import { newSecret } from "../secret.ts";

const longestMs = 330_000;

interface On {
	on?: string;
}

/** `domain user …` and `domain group …`. */
export function addAccounts(domain: Command, open: Open): void {
	addUsers(domain.command("user").summary("users of a domain that was made here"), open);
	addGroups(domain.command("group").summary("groups of a domain that was made here"), open);
}

/** `domain check`. */
export function addCheck(domain: Command, open: Open): void {
	domain
		.command("check")
		.summary("have a controller check its directory for errors, which takes a minute or more")
		.description("Samba's own check (samba-tool dbcheck). It mends nothing; with errors this ends with 1.")
		.option(...onOption)
		.action(({ on }: On, command: Command) => inspect(open(command), on, "check"));
}

/** `domain replication`. */
export function addReplication(domain: Command, open: Open): void {
	domain
		.command("replication")
		.summary("ask a controller whether it knows what the others know")
		.description("Samba's own words (samba-tool drs showrepl); when something failed this ends with 1.")
		.option(...onOption)
		.action(({ on }: On, command: Command) => inspect(open(command), on, "replication"));
}

const onOption = ["--on <server>", "the controller that is asked (one that runs)"] as const;

function addUsers(user: Command, open: Open): void {
	user
		.command("list")
		.summary("show all users")
		.option(...onOption)
		.action(({ on }: On, command: Command) => list(open(command), on, { what: "users" }));
	for (const [name, what, summary] of [
		["add", "add-user", "make a new user"],
		["passwd", "set-password", "set a user's password"],
	] as const)
		user
			.command(name)
			.summary(summary)
			.argument("<user>")
			.option("--password-file <file>", "where the password is, - for standard input (asked for otherwise)")
			.option(...onOption)
			.action(async (user: string, options: On & { passwordFile?: string }, command: Command) => {
				const context = open(command);
				const password = await newSecret(context, user, options.passwordFile);
				await change(context, options.on, { what, user, password });
			});
	for (const [name, what, summary] of [
		["disable", "disable-user", "let a user log in no more; all that is theirs stays"],
		["enable", "enable-user", "let a user log in again"],
	] as const)
		user
			.command(name)
			.summary(summary)
			.argument("<user>")
			.option(...onOption)
			.action((user: string, { on }: On, command: Command) => change(open(command), on, { what, user }));
}

function addGroups(group: Command, open: Open): void {
	group
		.command("list")
		.summary("show all groups, or the members of one")
		.argument("[group]")
		.option(...onOption)
		.action((group: string | undefined, { on }: On, command: Command) =>
			list(open(command), on, group === undefined ? { what: "groups" } : { what: "members", group }),
		);
	group
		.command("create")
		.summary("make a new group")
		.argument("<group>")
		.option(...onOption)
		.action((group: string, { on }: On, command: Command) =>
			change(open(command), on, { what: "add-group", group }),
		);
	for (const [name, what, summary] of [
		["add", "add-member", "make somebody a member of a group"],
		["remove", "remove-member", "let somebody be a member no more"],
	] as const)
		group
			.command(name)
			.summary(summary)
			.argument("<group>")
			.argument("<member>", "a user, or another group")
			.option(...onOption)
			.action((group: string, user: string, { on }: On, command: Command) =>
				change(open(command), on, { what, group, user }),
			);
}

async function list(context: Context, on: string | undefined, body: AdministerBody): Promise<void> {
	const { names } = await ask(context, on ?? (await controllerOf(context)), body);
	answer(context, { names }, () => names.map((name) => [name]));
}

const badNews = {
	check: "the directory has errors",
	replication: "something did not replicate",
} as const;

async function inspect(context: Context, on: string | undefined, what: keyof typeof badNews): Promise<void> {
	const server = on ?? (await controllerOf(context));
	const { findings } = await ask(context, server, { what });
	const { ok = false, lines = [] } = findings ?? {};
	answer(context, { server, ok, lines }, () => lines.map((line) => [line]));
	if (!ok) throw new BadNews(`${server}: ${badNews[what]}`);
}

async function change(context: Context, on: string | undefined, body: AdministerBody): Promise<void> {
	const server = on ?? (await controllerOf(context));
	const see = `bulkhead domain ${"group" in body ? "group" : "user"} list`;
	await goingOn(see, async () => await ask(context, server, body));
	const { what, ...rest } = body;
	const { password: _, ...named } = { password: null, ...rest };
	answer(context, { server, what, ...named }, () => [[`Done, on ${server}.`]]);
}

async function ask(context: Context, server: string, body: AdministerBody) {
	const { client, signal, terminal, json } = context;
	const call = async () =>
		await client.call("administerDomain", { server }, body, { signal, deadlineMs: longestMs });
	return await shown(terminal, `asking ${server}`, json, call);
}

/** The one that runs, when it is clear which domain is meant. One that was found can be asked for nothing, and says so. */
async function controllerOf({ client, signal }: Context): Promise<string> {
	const all = (await client.call("list", {}, null, { signal })).filter(({ domain }) => domain !== null);
	const made = all.filter(({ domain }) => domain?.origin === "made");
	const controllers = made.length > 0 ? made : all;
	const realms = new Set(controllers.map(({ domain }) => domain?.realm));
	if (realms.size > 1)
		throw new BulkheadError(
			"bad-input",
			`there are ${realms.size} domains here; say which controller with --on`,
		);
	const running = controllers.find(({ state }) => state === "running");
	if (running) return running.name;
	const names = controllers.map(({ name, state }) => `${name} is ${state}`).join(", ");
	throw new BulkheadError(
		"not-allowed-now",
		names === ""
			? "no server here is the controller of a domain; see: bulkhead domain create --help"
			: `no controller of the domain runs: ${names}`,
	);
}
