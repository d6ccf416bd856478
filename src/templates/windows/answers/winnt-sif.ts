import { BulkheadError } from "../../../api/errors.ts";
import { domainRoleOf } from "../../../api/windows.ts";
import { windowsTimeZone } from "../../../api/windows-time-zones.ts";
import type { Installation } from "./answer.ts";
import { languageIdentifier } from "./locales.ts";

/** Setup of Windows 2000 and 2003 knows time zones by these numbers only: Microsoft, "Time Zone Index Values". */
const timeZones: Readonly<Record<string, number>> = {
	"Dateline Standard Time": 0,
	"Samoa Standard Time": 1,
	"Hawaiian Standard Time": 2,
	"Alaskan Standard Time": 3,
	"Pacific Standard Time": 4,
	"Mountain Standard Time": 10,
	"US Mountain Standard Time": 15,
	"Central Standard Time": 20,
	"Canada Central Standard Time": 25,
	"Central America Standard Time": 33,
	"Eastern Standard Time": 35,
	"US Eastern Standard Time": 40,
	"SA Pacific Standard Time": 45,
	"Atlantic Standard Time": 50,
	"SA Western Standard Time": 55,
	"Pacific SA Standard Time": 56,
	"Newfoundland Standard Time": 60,
	"E. South America Standard Time": 65,
	"SA Eastern Standard Time": 70,
	"Greenland Standard Time": 73,
	"Azores Standard Time": 80,
	"Cape Verde Standard Time": 83,
	"GMT Standard Time": 85,
	"Greenwich Standard Time": 90,
	"Central Europe Standard Time": 95,
	"Central European Standard Time": 100,
	"Romance Standard Time": 105,
	"W. Europe Standard Time": 110,
	"W. Central Africa Standard Time": 113,
	"E. Europe Standard Time": 115,
	"Egypt Standard Time": 120,
	"FLE Standard Time": 125,
	"GTB Standard Time": 130,
	"Israel Standard Time": 135,
	"South Africa Standard Time": 140,
	"Russian Standard Time": 145,
	"Arab Standard Time": 150,
	"E. Africa Standard Time": 155,
	"Arabic Standard Time": 158,
	"Iran Standard Time": 160,
	"Arabian Standard Time": 165,
	"Caucasus Standard Time": 170,
	"Afghanistan Standard Time": 175,
	"Ekaterinburg Standard Time": 180,
	"West Asia Standard Time": 185,
	"India Standard Time": 190,
	"Nepal Standard Time": 193,
	"Central Asia Standard Time": 195,
	"Sri Lanka Standard Time": 200,
	"N. Central Asia Standard Time": 201,
	"Myanmar Standard Time": 203,
	"SE Asia Standard Time": 205,
	"North Asia Standard Time": 207,
	"China Standard Time": 210,
	"Singapore Standard Time": 215,
	"Taipei Standard Time": 220,
	"W. Australia Standard Time": 225,
	"North Asia East Standard Time": 227,
	"Korea Standard Time": 230,
	"Tokyo Standard Time": 235,
	"Yakutsk Standard Time": 240,
	"AUS Central Standard Time": 245,
	"Cen. Australia Standard Time": 250,
	"AUS Eastern Standard Time": 255,
	"E. Australia Standard Time": 260,
	"Tasmania Standard Time": 265,
	"Vladivostok Standard Time": 270,
	"West Pacific Standard Time": 275,
	"Central Pacific Standard Time": 280,
	"Fiji Standard Time": 285,
	"New Zealand Standard Time": 290,
	"Tonga Standard Time": 300,
};

/**
 * The answer file of Windows 2000 and Windows Server 2003, which Setup looks for on a floppy disk when it is started from CD.
 * Source: Ref.chm of their Deploy.cab; Microsoft, "Unattend.txt": [Data], [Unattended], [GuiUnattended], [UserData],
 * [Identification], [GuiRunOnce].
 * @throws BulkheadError bad-input for a time zone or a language that they do not know
 */
export function winntSif(installation: Installation): string {
	const { answers, passwords, version } = installation;
	const language = identifierOf("language", answers.language);
	const keyboard = answers.keyboard ?? answers.language;
	const input = keyboard.includes(":")
		? keyboard
		: `${identifierOf("keyboard", keyboard)}:0000${identifierOf("keyboard", keyboard)}`;
	const sections: [string, Record<string, string | number | undefined>][] = [
		["Data", { AutoPartition: 1, MsDosInitiated: quote("0"), UnattendedInstall: quote("Yes") }],
		[
			"Unattended",
			{
				UnattendMode: "FullUnattended",
				OemPreinstall: "No",
				OemSkipEula: "Yes",
				// All of the first disk, with NTFS.
				Repartition: "Yes",
				FileSystem: "*",
				TargetPath: version === "windows-2000" ? "\\WINNT" : "\\WINDOWS",
				DriverSigningPolicy: "Ignore",
			},
		],
		[
			"GuiUnattended",
			{
				AdminPassword: quote(passwords.administrator),
				EncryptedAdminPassword: "No",
				AutoLogon: "Yes",
				AutoLogonCount: 1,
				OEMSkipRegional: 1,
				OemSkipWelcome: 1,
				...(version === "windows-2000" ? {} : { ServerWelcome: "No" }),
				TimeZone: timeZoneNumber(answers.timeZone),
			},
		],
		[
			"UserData",
			{
				ComputerName: answers.computerName,
				FullName: quote("Administrator"),
				OrgName: quote(answers.computerName),
				...(answers.productKey === undefined
					? {}
					: {
							[version === "windows-2000" ? "ProductID" : "ProductKey"]: quote(answers.productKey),
						}),
			},
		],
		["RegionalSettings", { Language: `0000${language}`, InputLocale: input }],
		["LicenseFilePrintData", { AutoMode: "PerSeat" }],
		["Display", { BitsPerPel: 16, Xresolution: 1024, YResolution: 768 }],
		...components(installation),
		["Identification", identification(installation)],
		...networking(installation),
		["GuiRunOnce", { Command0: quote("A:\\BULKHEAD\\START.CMD") }],
	];
	return sections.flatMap(([name, entries]) => [`[${name}]`, ...entriesOf(entries), ""]).join("\r\n");
}

function entriesOf(entries: Record<string, string | number | undefined>): string[] {
	return Object.entries(entries).flatMap(([key, value]) =>
		value === undefined ? [] : [`    ${key}=${value}`],
	);
}

/** Nothing can be escaped within quotes; `answersProblems` and `windowsPasswordProblem` refuse what would have to be. */
function quote(text: string): string {
	if (!/^[\x20-\x7e]*$/.test(text) || /["%]/.test(text))
		throw new BulkheadError("bad-input", 'winnt.sif cannot hold one of the texts; use ASCII without " and %');
	return `"${text}"`;
}

/** The usual, unless the domain's controllers are to be asked for names: then each part has to be named. */
function networking({ answers }: Installation): [string, Record<string, string>][] {
	const role = domainRoleOf(answers);
	const controllers = role && "controllers" in role ? role.controllers : undefined;
	if (controllers === undefined) return [["Networking", { InstallDefaultComponents: "Yes" }]];
	return [
		["Networking", { InstallDefaultComponents: "No" }],
		["NetAdapters", { Adapter1: "params.Adapter1" }],
		["params.Adapter1", { INFID: "*" }],
		["NetClients", { MS_MSClient: "params.MS_MSClient" }],
		["NetServices", { MS_SERVER: "params.MS_SERVER" }],
		["NetProtocols", { MS_TCPIP: "params.MS_TCPIP" }],
		["params.MS_TCPIP", { AdapterSections: "params.MS_TCPIP.Adapter1" }],
		[
			"params.MS_TCPIP.Adapter1",
			{ SpecificTo: "Adapter1", DHCP: "Yes", DNSServerSearchOrder: controllers.join(",") },
		],
	];
}

function components({ answers, version }: Installation): [string, Record<string, string>][] {
	const roles = (answers.roles ?? []).map(({ role }) => role);
	const dns = roles.includes("domain-controller") || roles.includes("further-domain-controller");
	const wanted = {
		...(roles.includes("remote-desktop") && version !== "windows-2000" ? { TerminalServer: "On" } : {}),
		...(dns ? { dns: "On" } : {}),
	};
	return Object.keys(wanted).length > 0 ? [["Components", wanted]] : [];
}

function identification({ answers, passwords }: Installation): Record<string, string | undefined> {
	const role = domainRoleOf(answers);
	if (role?.role !== "member" || passwords.join === undefined) return { JoinWorkgroup: "WORKGROUP" };
	return {
		JoinDomain: quote(role.realm),
		DomainAdmin: quote(role.account),
		DomainAdminPassword: quote(passwords.join),
		MachineObjectOU: role.ou === undefined ? undefined : quote(role.ou),
	};
}

function identifierOf(field: string, language: string): string {
	const identifier = languageIdentifier(language);
	if (identifier !== undefined) return identifier;
	throw new BulkheadError(
		"bad-input",
		`answers.${field}: the number of ${language} is not known here, and this Windows knows languages by numbers; ${
			field === "keyboard" ? "write it as 0407:00000407" : "choose another"
		}`,
	);
}

function timeZoneNumber(name: string): string {
	const number = timeZones[windowsTimeZone(name) ?? ""];
	if (number !== undefined) return String(number).padStart(3, "0");
	throw new BulkheadError(
		"bad-input",
		`answers.timeZone: this Windows does not know ${name}; choose one with the same hours, as W. Europe Standard Time`,
	);
}
