import type { Role } from "../../api/windows.ts";
import type { Asking } from "./asking.ts";
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

const kinds = {
	"none of these": undefined,
	"controller of a new Active Directory domain": "domainController",
	"a further controller of a domain": "furtherController",
	"member of a domain": "join",
	"file server": "share",
} as const;

const optionOf = {
	domainController: "--domain-controller",
	furtherController: "--further-controller",
	join: "--join",
	share: "--share",
} as const;

const byDhcp = "whoever DHCP names";

/** What the server is to be, by options; asked for when there are none. */
export async function rolesOf(asking: Asking, given: RoleOptions): Promise<Draft[]> {
	const options = await chosen(asking, given);
	const plain = (role: Draft["role"]): Draft => ({ role, secrets: {} });
	return [
		...(await domainDrafts(asking, options)),
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

async function chosen(asking: Asking, given: RoleOptions): Promise<RoleOptions> {
	if (!asking.mayAsk || Object.values(given).some((value) => value !== undefined)) return given;
	const names = Object.keys(kinds) as (keyof typeof kinds)[];
	const picked = await asking.answer({
		words: "What it is to be",
		option: "--domain-controller, --further-controller, --join or --share",
		given: undefined,
		fallback: names[0] ?? "",
		choices: names,
		wrong: (text) => (text in kinds ? undefined : `choose by number, 1 to ${names.length}`),
	});
	const kind = kinds[picked as keyof typeof kinds];
	if (kind === undefined) return given;
	const question = kind === "share" ? "Share, as Data=C:\\Data" : "Domain, as ad.example.com";
	const value = await asking.answer({ words: question, option: optionOf[kind], given: undefined });
	if (kind === "share") return { ...given, share: [value] };
	return { ...given, [kind]: value, ...(kind === "domainController" ? {} : await controllersOf(asking)) };
}

/** Whom a server asks for the names of a domain that is there already. */
async function controllersOf(asking: Asking): Promise<{ controller?: string[] }> {
	const answer = await asking.answer({
		words: "Addresses of its controllers, which are asked for its names",
		option: "--controller",
		given: undefined,
		fallback: byDhcp,
	});
	return answer === byDhcp ? {} : { controller: answer.split(/[\s,]+/).filter((one) => one !== "") };
}

async function domainDrafts(asking: Asking, options: RoleOptions): Promise<Draft[]> {
	const recoveryPasswordFile: Wanted = {
		whose: "Directory Services Restore Mode",
		name: "recovery",
		option: "--recovery-password-file",
		given: options.recoveryPasswordFile,
		isNew: true,
	};
	const passwordFile: Wanted = {
		whose: "the domain's account",
		name: "join",
		option: "--join-password-file",
		given: options.joinPasswordFile,
		isNew: false,
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
				account: await account(asking, options),
				...controllers,
			},
			secrets: { passwordFile, recoveryPasswordFile },
		});
	if (join !== undefined)
		drafts.push({
			role: {
				role: "member",
				realm: join,
				account: await account(asking, options),
				...(ou ? { ou } : {}),
				...controllers,
			},
			secrets: { passwordFile },
		});
	return drafts;
}

async function account(asking: Asking, options: RoleOptions): Promise<string> {
	return await asking.answer({
		words: "Account that may add computers to the domain",
		option: "--account",
		given: options.account,
		fallback: "Administrator",
	});
}

/** `Data=E:\Data` */
function shareOf(text: string): { name: string; folder: string } {
	const at = text.indexOf("=");
	return at < 0 ? { name: text, folder: "" } : { name: text.slice(0, at), folder: text.slice(at + 1) };
}
