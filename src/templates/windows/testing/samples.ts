import { type Answers, answersSchema, type WindowsVersion, windowsVersions } from "../../../api/windows.ts";
import type { Installation } from "../answers/answer.ts";
import type { DataDisk } from "../data-disks.ts";
import type { Passwords } from "../passwords.ts";
import { type Firmware, windowsFacts } from "../versions.ts";

/** What could be taken for something else by XML, PowerShell, batch files or diskpart, beside letters of other languages. */
export const nasty = `Ü'$(x)\`&<é>;"%7,!`;

/** As strong as Windows wants, and each found nowhere by accident. */
export const passwords: Required<Passwords> = {
	administrator: `Adm1n-pässw0rd ${nasty}`,
	recovery: `Rec0very-ẞecret ${nasty}`,
	join: `J0in-Ünheard ${nasty}`,
};
/** What Windows of before 2008 can be told. */
export const oldPasswords: Required<Passwords> = {
	administrator: "Adm1n-passw0rd $`&;",
	recovery: "Rec0very-secret '^|<>",
	join: "J0in-unheard !(x)",
};

const secret = (name: string) => `/root/secrets/${name}`;

const plain = {
	computerName: "FILES1",
	edition: "Windows Server 2022 SERVERSTANDARD",
	language: "en-US",
	keyboard: "de-DE",
	timeZone: "Europe/Berlin",
	administrator: { passwordFile: secret("administrator") },
};
const recoveryPasswordFile = secret("recovery");
const passwordFile = secret("join");

/** Answers by what they are for. */
export const answers: Record<string, unknown> = {
	plain,
	"domain-controller": {
		...plain,
		computerName: "DC1",
		roles: [{ role: "domain-controller", realm: "ad.example.com", netbios: "AD", recoveryPasswordFile }],
	},
	"further-domain-controller": {
		...plain,
		computerName: "DC2",
		roles: [
			{
				role: "further-domain-controller",
				realm: "ad.example.com",
				account: "Administrator",
				passwordFile,
				recoveryPasswordFile,
				controllers: ["10.77.0.10"],
			},
		],
	},
	member: {
		...plain,
		roles: [
			{
				role: "member",
				realm: "ad.example.com",
				account: "joiner",
				passwordFile,
				ou: "OU=Servers,DC=ad,DC=example,DC=com",
				controllers: ["10.77.0.10", "10.77.0.11"],
			},
		],
	},
	"file-server": {
		...plain,
		roles: [
			{
				role: "file-server",
				shares: [
					{ name: "Data", folder: "C:\\Shares\\Data", change: ["AD\\accounting"], read: ["Everyone"] },
					{ name: "Exchange $", folder: "C:\\" },
				],
			},
		],
	},
	"remote-desktop": { ...plain, crashKeys: true, roles: [{ role: "remote-desktop" }] },
	disks: {
		...plain,
		remoteDesktop: true,
		productKey: "BCDFG-HJKMN-PQRTV-WXY23-46789",
		roles: [
			{ role: "exchange-disk", letter: "E", label: "Mailboxes", disk: "mail" },
			{ role: "sql-server-disk", letter: "F", label: "SQL data" },
		],
	},
	"second-disk": {
		...plain,
		roles: [{ role: "sql-server-disk", letter: "S", label: "SQL Server", disk: "sql" }],
	},
};

/** What the roles of the answers make volumes of. */
export const dataDisks: readonly DataDisk[] = [
	{ name: "mail", filled: false },
	{ name: "sql", filled: false },
];

export function answersFor(name: string): Answers {
	return answersSchema.parse(answers[name]);
}

/** @returns the answers changed, as `answersSchema` takes them */
export function plainWith(changes: object): Answers {
	return answersSchema.parse({ ...plain, ...changes });
}

export function installation(
	version: WindowsVersion,
	given: Answers,
	firmware: Firmware = windowsFacts[version].firmware[0] ?? "bios",
): Installation {
	const facts = windowsFacts[version];
	const used = facts.answerFile === "winnt.sif" ? oldPasswords : passwords;
	return {
		version,
		facts,
		firmware,
		answers: given,
		passwords: used,
		drivers: true,
		data: dataDisks,
		mac: "52:54:00:12:34:56",
	};
}

export const newVersions = windowsVersions.filter(
	(version) => windowsFacts[version].answerFile === "autounattend.xml",
);
export const oldVersions = windowsVersions.filter((version) => !newVersions.includes(version));
