import { z } from "zod";
import { parseAddress, writtenAs } from "./addresses.ts";
import { realmSchema, workgroupSchema } from "./domain.ts";
import { list } from "./list.ts";
import type { Problem } from "./problem.ts";
import { nearest, strict } from "./strict.ts";
import { timeZoneNames, windowsTimeZone } from "./windows-time-zones.ts";

/** Windows versions that an unattended installation can be made for. */
export const windowsVersions = [
	"windows-server-2025",
	"windows-server-2022",
	"windows-server-2019",
	"windows-server-2016",
	"windows-server-2012-r2",
	"windows-server-2008-r2",
	"windows-server-2003",
	"windows-2000",
	"windows-11",
	"windows-10",
	"windows-7",
] as const;
export type WindowsVersion = (typeof windowsVersions)[number];

export function isWindowsVersion(text: string): text is WindowsVersion {
	return (windowsVersions as readonly string[]).includes(text);
}

const quoted = (input: unknown) => JSON.stringify(String(input).slice(0, 60));

/** A text of one pattern; `rule` says in words what it is. */
function text(what: string, rule: string, pattern: RegExp) {
	return z
		.string({ error: `must be ${what}: ${rule}` })
		.regex(pattern, { error: (issue) => `${quoted(issue.input)} is not ${what}: ${rule}` });
}

/** Passwords never stand in a site file. */
const passwordFile = text(
	"the path of a file with a password",
	"absolute, of a file that belongs to root and nobody else may read (mode 0600), the password on its first line",
	/^\/(?!.*\/\.{1,2}(?:\/|$))[^\p{Cc}]{1,1000}$/u,
);

const computerName = text(
	"a computer's name",
	"1 to 15 letters, digits and hyphens, not digits alone, no hyphen at either end",
	/^(?!\d+$)[A-Za-z0-9](?:[A-Za-z0-9-]{0,13}[A-Za-z0-9])?$/,
);

const account = text(
	"the name of an account",
	"as in Administrator, without the domain's, without spaces and any of \" / \\ [ ] : ; | = , + * ? < > % @",
	/^[^\s"/\\[\]:;|=,+*?<>%@\p{Cc}]{1,104}$/u,
);

const localeName = /^[a-z]{2,3}(?:-[A-Z][a-z]{3})?-[A-Z]{2}$/;

const language = text("a language", "as in en-US or de-DE, that of the installation medium", localeName);

const keyboard = text(
	"a keyboard",
	"a language as in de-DE, or Windows's numbers of language and layout as in 0407:00000407",
	/^(?:[a-z]{2,3}(?:-[A-Z][a-z]{3})?-[A-Z]{2}|[0-9a-fA-F]{4}:[0-9a-fA-F]{8})$/,
);

export const timeZoneSchema = z
	.string({ error: "must be a time zone such as Europe/Berlin or W. Europe Standard Time" })
	.refine((name) => windowsTimeZone(name) !== undefined, {
		error: ({ input }) => {
			const near = nearest(String(input).slice(0, 60), timeZoneNames);
			const mend = near ? `did you mean "${near}"?` : "write it as Europe/Berlin or W. Europe Standard Time";
			return `${quoted(input)} is no time zone that Windows knows; ${mend}`;
		},
	});

const editionError = {
	error:
		"must be the name of an edition on the ISO such as Windows Server 2022 SERVERSTANDARD, or its number from 1",
};

const edition = z
	.union(
		[
			z.int(editionError).min(1, editionError).max(99, editionError),
			z.string(editionError).regex(/^[^\p{Cc}]{1,255}$/u, editionError),
		],
		editionError,
	)
	.meta({
		description:
			"Which of the editions on the ISO: its name or its number; `bulkhead create windows-server` lists them.",
	});

const productKey = text(
	"a product key",
	"five groups of five, as in XXXXX-XXXXX-XXXXX-XXXXX-XXXXX, of the letters and digits that Microsoft uses",
	/^(?:[BCDFGHJKMNPQRTVWXY2346789]{5}-){4}[BCDFGHJKMNPQRTVWXY2346789]{5}$/,
);

const recoveryPasswordFile = passwordFile.meta({
	description: "Password for Directory Services Restore Mode, which Microsoft wants to be another.",
});

const controller = z
	.string({ error: "must be an IPv4 address such as 10.77.0.10" })
	.refine((text) => parseAddress(text) !== undefined, {
		error: ({ input }) =>
			`${quoted(input)} is not an IPv4 address; write it as ${writtenAs(String(input), "10.77.0.10")}`,
	});

/** A server of Bulkhead's is told of the sandbox's own name server, which knows nothing of a domain. */
const controllers = z
	.array(controller, { error: "must be a list of addresses" })
	.min(1)
	.max(3)
	.optional()
	.meta({
		description:
			"Addresses of the domain's controllers, which it asks for names; the name server that it is told by DHCP when left out.",
	});

const controllerRole = strict({
	role: z.literal("domain-controller"),
	realm: realmSchema.meta({ description: "The new domain, as ad.example.com." }),
	netbios: workgroupSchema
		.optional()
		.meta({ description: "What it is called for short; the realm's first word when left out." }),
	recoveryPasswordFile,
});

const furtherControllerRole = strict({
	role: z.literal("further-domain-controller"),
	realm: realmSchema.meta({ description: "The domain that it becomes a controller of." }),
	account: account.meta({ description: "Who may add controllers to it." }),
	passwordFile,
	recoveryPasswordFile,
	controllers,
});

const memberRole = strict({
	role: z.literal("member"),
	realm: realmSchema.meta({ description: "The domain that it becomes a member of." }),
	account: account.meta({ description: "Who may add computers to it." }),
	passwordFile,
	ou: text(
		"the distinguished name of an organizational unit",
		"as in OU=Servers,DC=ad,DC=example,DC=com",
		/^(?:(?:OU|CN)=[^",;<>\\#+=\p{Cc}]{1,64},)+(?:DC=[A-Za-z0-9-]{1,63},)*DC=[A-Za-z0-9-]{1,63}$/u,
	).optional(),
	controllers,
});

/** `Everyone`, `Domain Users`, `AD\accounting`. */
const grantee = text(
	"the name of a user or group",
	'as in AD\\accounting, without any of " / [ ] : ; | = , + * ? < > % @',
	/^[^"/[\]:;|=,+*?<>%@\p{Cc}]{1,104}$/u,
);

const grantees = list(grantee, "users and groups such as [AD\\accounting]", 50);

/** Ends in neither dot nor space. Each text can be read in one way only: a long one that is wrong is refused at once. */
const folderName = '[^\\\\/:*?"<>|%\\p{Cc}]*[^\\\\/:*?"<>|%\\p{Cc}. ]';
const folderPattern = new RegExp(`^[A-Za-z]:\\\\(?:${folderName}(?:\\\\${folderName})*\\\\?)?$`, "u");

const share = strict({
	name: text(
		"the name of a share",
		'at most 80 characters, none of " / \\ [ ] : | < > + = ; , * ? %',
		/^[^"/\\[\]:|<>+=;,*?%\p{Cc}]{1,80}$/u,
	),
	folder: text(
		"a folder of the server",
		'as in E:\\Data, at most 200 characters, none of / : * ? " < > | % in its names',
		folderPattern,
	).max(200),
	change: grantees.optional().meta({ description: "Who may read and write." }),
	read: grantees.optional().meta({ description: "Who may read." }),
});

const fileServerRole = strict({
	role: z.literal("file-server"),
	shares: z.array(share, { error: "must be a list of shares, each with name and folder" }).min(1).max(100),
});

const remoteDesktopRole = strict({
	role: z.literal("remote-desktop"),
});

const diskFields = {
	letter: text("a drive letter", "one of D to Z", /^[D-Z]$/),
	label: text(
		"the label of a volume",
		'at most 32 characters, none of * ? / \\ | , ; : + = < > [ ] " %',
		/^[^*?/\\|,;:+=<>[\]"%\p{Cc}]{1,32}$/u,
	),
	disk: text("the name of a data disk", "one of the server's `data`", /^[a-z](?:[a-z0-9-]{0,14}[a-z0-9])?$/)
		.optional()
		.meta({
			description: "Which of the server's data disks; the first that has nothing on it when left out.",
		}),
};

/** Microsoft wants 64 KiB allocation units for databases of both. */
const exchangeDiskRole = strict({ role: z.literal("exchange-disk"), ...diskFields });
const sqlDiskRole = strict({ role: z.literal("sql-server-disk"), ...diskFields });

export const roleSchema = z.discriminatedUnion(
	"role",
	[
		controllerRole,
		furtherControllerRole,
		memberRole,
		fileServerRole,
		remoteDesktopRole,
		exchangeDiskRole,
		sqlDiskRole,
	],
	{
		error: (issue) =>
			issue.code === "invalid_union"
				? `must say one of domain-controller, further-domain-controller, member, file-server, remote-desktop, exchange-disk, sql-server-disk`
				: "must be a block with the key `role`",
	},
);
export type Role = z.infer<typeof roleSchema>;
export type RoleName = Role["role"];

/** What an unattended installation of Windows is told; a part of the site file. */
export const answersSchema = strict({
	computerName,
	edition,
	language,
	keyboard: keyboard.optional().meta({ description: "The language's own when left out." }),
	timeZone: timeZoneSchema.meta({ description: "Windows's name of it, or IANA's, as Europe/Berlin." }),
	administrator: strict({ passwordFile }),
	productKey: productKey.optional().meta({
		description: "Not for evaluation media; others may stop and ask when it is missing.",
	}),
	remoteDesktop: z
		.boolean({ error: "must be true or false" })
		.optional()
		.meta({ description: "Administrators may connect by Remote Desktop." }),
	crashKeys: z.boolean({ error: "must be true or false" }).optional().meta({
		description:
			"For drills: the right Ctrl key held and Scroll Lock pressed twice make its keyboard driver crash it.",
	}),
	roles: z.array(roleSchema, { error: "must be a list of roles" }).max(20).optional(),
});
export type Answers = z.infer<typeof answersSchema>;

/** Single answers, for whoever asks for them one by one. */
export const answerFields = {
	computerName,
	productKey,
	keyboard,
	account,
	share,
	realm: realmSchema,
	controllers: controllers.unwrap(),
} as const;

const domainRoles = ["domain-controller", "further-domain-controller", "member"] as const;
type DomainRole = Extract<Role, { role: (typeof domainRoles)[number] }>;

export function isDomainRole(role: RoleName): boolean {
	return (domainRoles as readonly RoleName[]).includes(role);
}

export function domainRoleOf({ roles = [] }: Answers): DomainRole | undefined {
	return roles.find((role): role is DomainRole => isDomainRole(role.role));
}

const serverOnly: readonly RoleName[] = [
	"domain-controller",
	"further-domain-controller",
	"file-server",
	"remote-desktop",
];
const disks: readonly RoleName[] = ["exchange-disk", "sql-server-disk"];

/** Roles that cannot be had on a version, with the reason. */
export function roleProblem(version: WindowsVersion, role: RoleName): string | undefined {
	if (["windows-7", "windows-10", "windows-11"].includes(version) && serverOnly.includes(role))
		return `${role} is a role of Windows Server, which ${version} is not; leave it out${
			role === "remote-desktop" ? ", and say `remoteDesktop: true`" : ""
		}`;
	const byHand: readonly RoleName[] =
		version === "windows-2000" ? ["file-server", "remote-desktop", ...disks] : ["file-server"];
	if (isOld(version) && byHand.includes(role))
		return `${role} cannot be prepared unattended in ${version}; leave it out and do it by hand`;
	return undefined;
}

/**
 * What is wrong with answers beside their fields: for this version of Windows, and with each other.
 * Paths are relative to `answers:`.
 */
export function answersProblems(version: WindowsVersion, answers: Answers): Problem[] {
	const roles = answers.roles ?? [];
	return [
		...roles.flatMap(({ role }, index) => {
			const message = roleProblem(version, role);
			return message ? [{ path: ["roles", index, "role"], message }] : [];
		}),
		...repeated(roles),
		...diskProblems(roles),
		...nameProblems(answers),
		...(isOld(version) ? oldProblems(version, answers) : []),
	];
}

/** Windows whose answer file is winnt.sif, in which hardly anything can be escaped. */
export function isOld(version: WindowsVersion): boolean {
	return version === "windows-server-2003" || version === "windows-2000";
}

function repeated(roles: readonly Role[]): Problem[] {
	const once: readonly RoleName[] = ["file-server", "remote-desktop"];
	return roles.flatMap(({ role }, index) => {
		const path = ["roles", index, "role"];
		const before = roles.slice(0, index).map((other) => other.role);
		if (isDomainRole(role) && before.some(isDomainRole))
			return [
				{ path, message: "a server is a controller or a member of one domain only; leave one of them out" },
			];
		if (once.includes(role) && before.includes(role))
			return [{ path, message: `there are two roles ${role}; say it once` }];
		return [];
	});
}

function diskProblems(roles: readonly Role[]): Problem[] {
	const taken = new Set<string>();
	return roles.flatMap((role, index) => {
		if (role.role !== "exchange-disk" && role.role !== "sql-server-disk") return [];
		const uses = [
			["letter", `drive letter ${role.letter}`],
			["disk", role.disk ? `data disk ${role.disk}` : ""],
		] as const;
		return uses.flatMap(([key, use]) => {
			if (use === "" || !taken.has(use)) {
				taken.add(use);
				return [];
			}
			return [{ path: ["roles", index, key], message: `${use} is used by a role before it; choose another` }];
		});
	});
}

/** A forest whose short name is that of its controller cannot be made. */
function nameProblems({ computerName: name, roles = [] }: Answers): Problem[] {
	return roles.flatMap((role, index) => {
		const message = role.role === "domain-controller" ? sameNameProblem(name, role) : undefined;
		return message === undefined ? [] : [{ path: ["roles", index, "netbios"], message }];
	});
}

/** What is wrong with a new domain's short name for a computer of that name. */
export function sameNameProblem(
	computer: string,
	{ realm, netbios }: { realm: string; netbios?: string | undefined },
): string | undefined {
	const short = netbios ?? (realm.split(".")[0] ?? "").slice(0, 15);
	if (short.toLowerCase() !== computer.toLowerCase()) return undefined;
	return `the computer and its domain are both called ${short}; Windows wants two names: say another one here`;
}

const plainText = /^[A-Za-z0-9 ._\\:$-]*$/;

function oldProblems(version: WindowsVersion, answers: Answers): Problem[] {
	const texts: [(string | number)[], string][] = (answers.roles ?? []).flatMap((role, index) =>
		textsOf(role).map(([path, value]) => [["roles", index, ...path], value] as [(string | number)[], string]),
	);
	return texts.flatMap(([path, value]) => {
		const message = batchProblem(version, value);
		return message === undefined ? [] : [{ path, message }];
	});
}

/** What is wrong with a text for the batch files of an old Windows. */
export function batchProblem(version: WindowsVersion, text: string): string | undefined {
	if (!isOld(version) || plainText.test(text)) return undefined;
	return `for ${version} it may have only ASCII letters, digits, spaces and . _ - $: its batch files cannot hold others`;
}

function textsOf(role: Role): [(string | number)[], string][] {
	if (role.role === "exchange-disk" || role.role === "sql-server-disk") return [[["label"], role.label]];
	if (role.role === "member" || role.role === "further-domain-controller")
		return [[["account"], role.account]];
	return [];
}

const shortText = z.string().max(255);

/** What an installation medium tells of itself. */
export const windowsIsoView = z.object({
	label: z.string().max(128),
	/** Which Windows it installs; null for one that nothing is known of here. */
	version: z.enum(windowsVersions).nullable(),
	/** Path on the medium of what lists its editions; null for Windows of before 2008, which has one edition. */
	image: z.string().nullable(),
	editions: z.array(
		z.object({
			index: z.int(),
			name: shortText,
			description: shortText,
			/** As in `ServerStandard`. */
			editionId: shortText,
			/** `Server`, `Server Core` or `Client`. */
			installationType: shortText,
			architecture: z.enum(["x86", "amd64", "arm64"]).nullable(),
			build: z.int(),
			languages: z.array(z.string().max(32)),
		}),
	),
});
export type WindowsIso = z.infer<typeof windowsIsoView>;
