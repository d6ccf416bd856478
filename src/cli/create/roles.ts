import {
	answerFields,
	batchProblem,
	type Role,
	roleProblem,
	sameNameProblem,
	type WindowsVersion,
} from "../../api/windows.ts";
import { type Asking, ruleOf } from "./asking.ts";
import type { Wanted } from "./secrets.ts";

export interface RoleOptions {
	domainController?: string;
	furtherController?: string;
	join?: string;
	netbios?: string;
	account?: string;
	ou?: string;
	controller?: string[];
	recoveryPasswordFile?: string;
	joinPasswordFile?: string;
	share?: string[];
	sessionHost?: boolean;
	exchangeDisk?: string;
	sqlDisk?: string;
}

/** A role without the files of its passwords, which are known later, under the keys that they have there. */
export interface Draft {
	role: Record<string, unknown> & { role: Role["role"] };
	secrets: Record<string, Wanted>;
}

/** What of the server is known when its roles are asked for. */
export interface Machine {
	version: WindowsVersion;
	computerName: string;
}

const kinds = {
	"controller of a new Active Directory domain": { key: "domainController", role: "domain-controller" },
	"a further controller of a domain": { key: "furtherController", role: "further-domain-controller" },
	"member of a domain": { key: "join", role: "member" },
	"file server": { key: "share", role: "file-server" },
} as const satisfies Record<string, { key: keyof RoleOptions; role: Role["role"] }>;

const noKind = "none of these";

const optionOf = {
	domainController: "--domain-controller",
	furtherController: "--further-controller",
	join: "--join",
	share: "--share",
} as const;

const byDhcp = "whoever DHCP names";

/** What the server is to be, by options; asked for when there are none. */
export async function rolesOf(asking: Asking, given: RoleOptions, machine: Machine): Promise<Draft[]> {
	const options = await chosen(asking, given, machine);
	const plain = (role: Draft["role"]): Draft => ({ role, secrets: {} });
	return [
		...(await domainDrafts(asking, options, machine)),
		...(options.share ? [plain({ role: "file-server", shares: options.share.map(shareOf) })] : []),
		...(options.sessionHost ? [plain({ role: "remote-desktop" })] : []),
		...(options.exchangeDisk
			? [plain({ role: "exchange-disk", letter: "E", label: "Exchange", disk: "exchange" })]
			: []),
		...(options.sqlDisk
			? [plain({ role: "sql-server-disk", letter: "S", label: "SQL Server", disk: "sql" })]
			: []),
	];
}

async function chosen(asking: Asking, given: RoleOptions, machine: Machine): Promise<RoleOptions> {
	if (!asking.mayAsk || Object.values(given).some((value) => value !== undefined)) return given;
	const possible = Object.entries(kinds).filter(([, { role }]) => !roleProblem(machine.version, role));
	const names = [noKind, ...possible.map(([name]) => name)];
	const picked = await asking.answer({
		words: "What it is to be",
		option: "--domain-controller, --further-controller, --join or --share",
		given: undefined,
		fallback: noKind,
		choices: names,
		wrong: (text) => (names.includes(text) ? undefined : `choose by number, 1 to ${names.length}`),
	});
	if (picked === noKind) return given;
	const { key } = kinds[picked as keyof typeof kinds];
	const option = optionOf[key];
	if (key === "share") {
		const wrong = (text: string) => ruleOf(answerFields.share)(shareOf(text));
		const words = "Share, as Data=C:\\Data";
		return { ...given, share: [await asking.answer({ words, option, given: undefined, wrong })] };
	}
	const wrong = (realm: string) =>
		ruleOf(answerFields.realm)(realm) ??
		(key === "domainController" ? sameNameProblem(machine.computerName, { realm }) : undefined);
	const words = "Domain, as ad.example.com";
	const realm = await asking.answer({ words, option, given: undefined, wrong });
	return { ...given, [key]: realm, ...(key === "domainController" ? {} : await controllersOf(asking)) };
}

const listOf = (text: string) => text.split(/[\s,]+/).filter((one) => one !== "");

/** Whom a server asks for the names of a domain that is there already. */
async function controllersOf(asking: Asking): Promise<{ controller?: string[] }> {
	const answer = await asking.answer({
		words: "Addresses of its controllers, which are asked for its names",
		option: "--controller",
		given: undefined,
		fallback: byDhcp,
		wrong: (text) => (text === byDhcp ? undefined : ruleOf(answerFields.controllers)(listOf(text))),
	});
	return answer === byDhcp ? {} : { controller: listOf(answer) };
}

async function domainDrafts(asking: Asking, options: RoleOptions, machine: Machine): Promise<Draft[]> {
	const recoveryPasswordFile: Wanted = {
		whose: "Directory Services Restore Mode",
		use: "recovery",
		option: "--recovery-password-file",
		given: options.recoveryPasswordFile,
	};
	const passwordFile: Wanted = {
		whose: "the domain's account",
		use: "join",
		option: "--join-password-file",
		given: options.joinPasswordFile,
	};
	const drafts: Draft[] = [];
	const { domainController, furtherController, join, netbios, ou } = options;
	const controllers = options.controller ? { controllers: options.controller } : {};
	if (domainController !== undefined)
		drafts.push({
			role: { role: "domain-controller", realm: domainController, ...(netbios ? { netbios } : {}) },
			secrets: { recoveryPasswordFile },
		});
	if (furtherController !== undefined)
		drafts.push({
			role: {
				role: "further-domain-controller",
				realm: furtherController,
				account: await account(asking, options, machine),
				...controllers,
			},
			secrets: { passwordFile, recoveryPasswordFile },
		});
	if (join !== undefined)
		drafts.push({
			role: {
				role: "member",
				realm: join,
				account: await account(asking, options, machine),
				...(ou ? { ou } : {}),
				...controllers,
			},
			secrets: { passwordFile },
		});
	return drafts;
}

async function account(asking: Asking, options: RoleOptions, { version }: Machine): Promise<string> {
	return await asking.answer({
		words: "Account that may add computers to the domain",
		option: "--account",
		given: options.account,
		fallback: "Administrator",
		wrong: (text) => ruleOf(answerFields.account)(text) ?? batchProblem(version, text),
	});
}

/** `Data=E:\Data` */
function shareOf(text: string): { name: string; folder: string } {
	const at = text.indexOf("=");
	return at < 0 ? { name: text, folder: "" } : { name: text.slice(0, at), folder: text.slice(at + 1) };
}
