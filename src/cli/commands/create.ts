import { dirname, join, resolve } from "node:path";
import type { Command } from "commander";
import { parse } from "yaml";
import { BulkheadError } from "../../api/errors.ts";
import { named } from "../../api/named.ts";
import { type ServerDefinition, type Site, serverName } from "../../api/site.ts";
import { checkSite } from "../../api/site-check.ts";
import { answerFields, isDomainRole, timeZoneSchema, type WindowsVersion } from "../../api/windows.ts";
import { windowsTimeZone } from "../../api/windows-time-zones.ts";
import { answer, type Context, type Open } from "../context.ts";
import { Asking, ruleOf } from "../create/asking.ts";
import { type ChosenMedium, chooseMedium, type MediumOptions } from "../create/medium.ts";
import { newSite, placeOf } from "../create/place.ts";
import { type Draft, type RoleOptions, rolesOf } from "../create/roles.ts";
import { type Secret, type SecretPlace, secretFor, type Wanted, writeSecrets } from "../create/secrets.ts";
import { addServer, SiteEditError, serverText } from "../site-edit.ts";
import { readSiteIfThere, replaceSite } from "../site-file.ts";
import { styled } from "../terminal.ts";

interface Options extends MediumOptions, RoleOptions {
	siteFile: string;
	secrets?: string;
	computerName?: string;
	keyboard?: string;
	timeZone?: string;
	passwordFile?: string;
	productKey?: string;
	remoteDesktop?: boolean;
	segment?: string;
	address?: string;
	memory: string;
	cpus: string;
	disk: string;
	yes?: boolean;
}

const list = (value: string, before: string[] | undefined) => [...(before ?? []), value];

export function addCreate(program: Command, open: Open): void {
	const create = program
		.command("create")
		.summary("write a new server into a site file, asking what it must");
	create
		.command("windows-server")
		.summary("a Windows that is installed unattended from your own ISO")
		.description(
			[
				"Asks what it must know, writes the server into the site file, and each password into a file that nobody else may read. Every question has an option: with all of them, or --yes, nothing is asked.",
				"Nothing is installed yet: that is done by `bulkhead apply`.",
			].join("\n"),
		)
		.argument("[name]", "the server's name")
		.option("--site-file <file>", "the site file; a new one is made where there is none", "site.yaml")
		.option("--iso <file>", "Microsoft's installation ISO")
		.option("--drivers <file>", "the virtio-win ISO, or none (one beside the ISO, or that of a package)")
		.option("--guest <version>", "which Windows it is (what the ISO says)")
		.option("--edition <name>", "one of the ISO's editions, by name or number")
		.option("--language <language>", "that of the ISO, as en-US (what the ISO says)")
		.option("--keyboard <layout>", "as de-DE (the language's)")
		.option("--computer-name <name>", "what Windows calls itself (the server's name)")
		.option("--time-zone <zone>", "as Europe/Berlin (this host's)")
		.option("--product-key <key>", "for media that want one")
		.option(
			"--password-file <file>",
			"the Administrator's password: a file that has it, one to be written, or -",
		)
		.option("--secrets <folder>", "where files for passwords are made (secrets, beside the site file)")
		.option("--segment <name>", "network of the site that it is in")
		.option("--address <address>", "its address there (the next free one)")
		.option("--memory <size>", "its memory", "4GiB")
		.option("--cpus <count>", "its processors", "2")
		.option("--disk <size>", "size of its system disk", "60GiB")
		.option("--remote-desktop", "let administrators connect by Remote Desktop")
		.option("--domain-controller <realm>", "make it the first controller of a new domain")
		.option("--netbios <name>", "what that domain is called for short")
		.option("--further-controller <realm>", "make it a further controller of a domain")
		.option("--join <realm>", "make it a member of a domain")
		.option("--controller <address...>", "addresses of that domain's controllers, to ask for its names")
		.option("--account <name>", "who may add computers to that domain (Administrator)")
		.option("--join-password-file <file>", "that one's password")
		.option("--ou <name>", "organizational unit that a member's account is made in")
		.option("--recovery-password-file <file>", "a controller's password for Directory Services Restore Mode")
		.option("--share <name=folder>", "share a folder, as Data=C:\\Data; more than once for more", list)
		.option("--session-host", "make it a Remote Desktop session host")
		.option("--exchange-disk <size>", "add a data disk as Exchange wants it")
		.option("--sql-disk <size>", "add a data disk as SQL Server wants it")
		.option("-y, --yes", "ask nothing: what has a default has that")
		.action((name: string | undefined, options: Options, command: Command) =>
			createWindowsServer(open(command), name, options),
		);
}

async function createWindowsServer(
	context: Context,
	given: string | undefined,
	options: Options,
): Promise<void> {
	const asking = new Asking(context, options.yes === true);
	const file = resolve(options.siteFile);
	const before = await readSiteIfThere(file);
	const text = before ?? newSite;
	const site = siteOf(text, options.siteFile);
	const name = await asking.answer({
		...{ words: "Name of the server", option: "a name", given },
		wrong: (one) =>
			ruleOf(serverName)(one) ??
			(named(site.servers, one)
				? `the site file has a server ${one} already; choose another name`
				: undefined),
	});
	const medium = await chooseMedium(context, asking, options);
	const about = await answersOf(asking, options, medium, name);
	const machine = { version: medium.guest, computerName: about.computerName };
	const drafts = await rolesOf(asking, roleOptions(options), machine);
	const network = await placeOf(asking, site, options);
	const folder = resolve(options.secrets ?? join(dirname(file), "secrets"));
	const entry = ({ administrator, roles }: Omit<Filled, "secrets">) => {
		const answers = { ...about, administrator, ...(roles.length > 0 ? { roles } : {}) };
		const definition = definitionOf(options, medium, { answers, ...(network ? { network } : {}) });
		const after = edited(text, name, definition);
		siteOf(after, options.siteFile, name);
		return { definition, after };
	};
	// Whoever types passwords has made no other mistake by then.
	entry(await filled(drafts, async () => ({ file: join(folder, name), password: undefined, isNew: false })));
	const ask = secretsFrom(context, medium.guest, drafts, { mayAsk: asking.mayAsk, folder, server: name });
	const done = await filled(drafts, async (wanted, administrator) =>
		ask(wanted ?? { ...administratorsOwn, given: options.passwordFile }, administrator),
	);
	const { definition, after } = entry(done);
	await write(file, before, after, done.secrets);
	tell(context, options.siteFile, name, definition, done.secrets);
}

const administratorsOwn = {
	whose: "the new Administrator",
	use: "administrator",
	option: "--password-file",
} as const;

function secretsFrom(
	context: Context,
	version: WindowsVersion,
	drafts: readonly Draft[],
	place: SecretPlace,
): (wanted: Wanted, administrator: string | undefined) => Promise<Secret> {
	const role = drafts.map((draft) => draft.role.role).find(isDomainRole);
	return async (wanted, administrator) =>
		await secretFor(context, wanted, { version, role, administrator }, place);
}

/** The parts of the entry that name files of passwords. */
interface Filled {
	secrets: Secret[];
	administrator: { passwordFile: string };
	roles: object[];
}

/**
 * Where each password stands or will stand, and the roles with that in them.
 * @param secret of a role; without one, the Administrator's
 */
async function filled(
	drafts: readonly Draft[],
	secret: (wanted?: Wanted, administrator?: string) => Promise<Secret>,
): Promise<Filled> {
	const first = await secret();
	const secrets = [first];
	const roles: object[] = [];
	for (const draft of drafts) {
		const files: Record<string, string> = {};
		for (const [key, wanted] of Object.entries(draft.secrets)) {
			const one = await secret(wanted, first.password);
			secrets.push(one);
			files[key] = one.file;
		}
		roles.push({ ...draft.role, ...files });
	}
	return { secrets, roles, administrator: { passwordFile: first.file } };
}

async function answersOf(
	asking: Asking,
	{ computerName, timeZone, keyboard, productKey, remoteDesktop }: Options,
	{ edition, language }: ChosenMedium,
	name: string,
): Promise<{ computerName: string }> {
	const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
	const named = await asking.answer({
		...{ words: "Computer name", option: "--computer-name", given: computerName },
		fallback: name.slice(0, 15).replace(/-+$/, "").toUpperCase(),
		wrong: ruleOf(answerFields.computerName),
	});
	const zone = await asking.answer({
		...{ words: "Time zone", option: "--time-zone", given: timeZone },
		fallback: windowsTimeZone(here) === undefined ? "UTC" : here,
		wrong: ruleOf(timeZoneSchema),
	});
	return {
		...{ computerName: named, edition, language, timeZone: zone },
		...(keyboard === undefined ? {} : { keyboard }),
		...(productKey === undefined ? {} : { productKey }),
		...(remoteDesktop ? { remoteDesktop } : {}),
	};
}

function roleOptions(options: Options): RoleOptions {
	const { domainController, furtherController, join: joined, netbios, account, ou, controller } = options;
	const { recoveryPasswordFile, joinPasswordFile, share, sessionHost, exchangeDisk, sqlDisk } = options;
	const all = {
		...{ domainController, furtherController, join: joined, netbios, account, ou, controller },
		...{ recoveryPasswordFile, joinPasswordFile, share, sessionHost, exchangeDisk, sqlDisk },
	};
	return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/** Whether it is right is seen when the whole site is checked: nothing here is known to be. */
function definitionOf(
	{ memory, cpus, disk, exchangeDisk, sqlDisk }: Options,
	{ iso, drivers, guest }: ChosenMedium,
	{ answers, network }: { answers: object; network?: object },
): ServerDefinition {
	const data = [
		...(exchangeDisk === undefined ? [] : [{ name: "exchange", size: exchangeDisk }]),
		...(sqlDisk === undefined ? [] : [{ name: "sql", size: sqlDisk }]),
	];
	return {
		guest,
		install: { iso, ...(drivers === undefined ? {} : { drivers }), answers },
		memory,
		cpus: Number(cpus),
		system: { size: disk },
		...(data.length > 0 ? { data } : {}),
		...(network ? { network } : {}),
	} as ServerDefinition;
}

/** @throws BulkheadError with what is wrong: in the file as it is, or with the server that is to be added */
function siteOf(text: string, file: string, added?: string): Site {
	const { site, problems } = checkSite(yamlOf(text, file));
	if (site) return site;
	const what = added === undefined ? `${file} has mistakes; mend them first` : `${added} cannot be added`;
	throw new BulkheadError("bad-input", `${what}; nothing was changed`, {
		problems: problems.map(({ path, message }) => ({ field: path.join("."), message })),
	});
}

function yamlOf(text: string, file: string): unknown {
	try {
		return parse(text, { maxAliasCount: 50 });
	} catch (cause) {
		throw new BulkheadError("bad-input", `${file} is no YAML; mend that first`, { cause });
	}
}

function edited(text: string, name: string, definition: ServerDefinition): string {
	try {
		return addServer(text, name, definition);
	} catch (cause) {
		if (cause instanceof SiteEditError) throw new BulkheadError("bad-input", cause.message, { cause });
		throw cause;
	}
}

/** The passwords first: a site file never names one that is not there. */
async function write(
	file: string,
	before: string | undefined,
	after: string,
	secrets: readonly Secret[],
): Promise<void> {
	const undo = await writeSecrets(secrets);
	try {
		await replaceSite(file, before, after);
	} catch (error) {
		await undo();
		throw error;
	}
}

function tell(
	context: Context,
	siteFile: string,
	name: string,
	definition: ServerDefinition,
	secrets: readonly Secret[],
): void {
	const passwordFiles = secrets.map(({ file }) => file);
	const next = `bulkhead apply ${siteFile}`;
	answer(context, { server: name, siteFile, definition, passwordFiles, next }, () => [
		...serverText(name, definition)
			.split("\n")
			.map((line) => [line]),
		[],
		[styled(`${name} stands in ${siteFile} now.`, "green")],
		...passwordFiles.map((file) => [`A password of it is in ${file}; keep it until Windows is installed.`]),
		[`To install it: ${next}`],
	]);
}
