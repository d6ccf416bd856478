import { shortNameOf } from "../../api/domain.ts";
import { domainRoleOf } from "../../api/windows.ts";
import type { Installation } from "./answers/answer.ts";
import { diskChoices } from "./data-disks.ts";

/**
 * First-boot scripts of Windows 2000 and Windows Server 2003, which have no PowerShell: batch files. `answersProblems` lets
 * texts through that need no quoting beside the quotes, and nothing else.
 * @returns the files by name, with Windows's line ends
 */
export function batchFiles(installation: Installation): Record<string, string> {
	const answer = dcpromoAnswers(installation);
	return {
		"START.CMD": text(startCmd),
		"FIRST.CMD": text(first(installation, answer !== undefined)),
		"SETTINGS.REG": text(registry(installation)),
		...diskScripts(installation),
		...(answer === undefined ? {} : { "DCPROMO.TXT": text(answer) }),
	};
}

const text = (lines: readonly string[]) => [...lines, ""].join("\r\n");

const startCmd = [
	"@echo off",
	"if exist C:\\Bulkhead\\start.log exit",
	"md C:\\Bulkhead",
	"xcopy A:\\BULKHEAD\\*.* C:\\Bulkhead\\ /i /y /q > C:\\Bulkhead\\start.log 2>&1",
	"call C:\\Bulkhead\\FIRST.CMD",
];

function first(installation: Installation, controller: boolean): string[] {
	const { version } = installation;
	const log = (line: string) => `${line} >> C:\\Bulkhead\\first-boot.log 2>&1`;
	const finished = `echo {"finished":true,"version":"${version}"}> C:\\Bulkhead\\finished.json`;
	const promote = controller ? [log("dcpromo /answer:C:\\Bulkhead\\DCPROMO.TXT")] : [];
	return [
		"@echo off",
		log("regedit /s C:\\Bulkhead\\SETTINGS.REG"),
		...diskCommands(installation).map(log),
		'del /f /q "%SystemRoot%\\system32\\$winnt$.inf"',
		...(version === "windows-2000"
			? // It has no program that restarts it: dcpromo does, and nothing comes after that.
				[finished, ...promote]
			: [...promote, "del /f /q C:\\Bulkhead\\DCPROMO.TXT", finished, "shutdown -r -t 10"]),
		// A batch file that is gone goes no further.
		"del /f /q C:\\Bulkhead\\*.CMD",
	];
}

/** Crash behaviour, power button, Remote Desktop, and no more logons by themselves; `reg` is not part of Windows 2000. */
function registry({ answers: { roles = [], remoteDesktop } }: Installation): string[] {
	const wantsRemote = remoteDesktop === true || roles.some(({ role }) => role === "remote-desktop");
	const number = (name: string, value: number) => `"${name}"=dword:0000000${value}`;
	return [
		"REGEDIT4",
		"",
		"[HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control\\CrashControl]",
		...[number("AutoReboot", 1), number("CrashDumpEnabled", 2), number("NMICrashDump", 1)],
		"",
		"[HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Policies\\System]",
		number("ShutdownWithoutLogon", 1),
		"",
		...(wantsRemote
			? [
					"[HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control\\Terminal Server]",
					number("fDenyTSConnections", 0),
					"",
				]
			: []),
		"[HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\Winlogon]",
		'"AutoAdminLogon"="0"',
		'"DefaultPassword"=-',
	];
}

/**
 * A volume that has the letter is left as it is, and only what was just made is formatted: diskpart ends with another code
 * than 0 at its first error (Microsoft, "DiskPart"), and a letter that it could not give is that of something else.
 */
function diskCommands({ answers: { roles = [] }, data }: Installation): string[] {
	return [...diskChoices(roles, data).keys()].flatMap(({ letter, label }) => {
		const make = `diskpart /s C:\\Bulkhead\\DISK-${letter}.TXT`;
		const format = `echo y| format ${letter}: /FS:NTFS "/V:${label}" /A:64K /Q`;
		return [
			`if exist ${letter}:\\ echo ${letter}: is there already, and is left as it is`,
			// What follows a bracket is said of all in it, the log file too; of an `else` it would be said alone.
			`if not exist ${letter}:\\ (${make} && ${format})`,
		];
	});
}

/** Disks are told apart by their number alone: the system disk is 0, and data disks follow as the server has them. */
function diskScripts({ answers: { roles = [] }, data }: Installation): Record<string, string> {
	const scripts = [...diskChoices(roles, data)].map(([{ letter }, position]) => [
		`DISK-${letter}.TXT`,
		text([`select disk ${position + 1}`, "create partition primary", `assign letter=${letter}`]),
	]);
	return Object.fromEntries(scripts);
}

/** Source: Microsoft, Ref.chm of Windows Server 2003's Deploy.cab, [DCInstall]. dcpromo takes the passwords out of it. */
function dcpromoAnswers({ version, answers, passwords }: Installation): string[] | undefined {
	const role = domainRoleOf(answers);
	if (role === undefined || role.role === "member") return undefined;
	const recovery = passwords.recovery ?? "";
	const common = [
		"[DCInstall]",
		`SafeModeAdminPassword="${recovery}"`,
		`RebootOnSuccess=${version === "windows-2000" ? "Yes" : "NoAndNoPromptEither"}`,
		"AutoConfigDNS=Yes",
	];
	if (role.role === "domain-controller")
		return [
			...common,
			"ReplicaOrNewDomain=Domain",
			"TreeOrChild=Tree",
			"CreateOrJoin=Create",
			`NewDomainDNSName=${role.realm}`,
			`DomainNetBiosName=${role.netbios ?? shortNameOf(role.realm)}`,
		];
	return [
		...common,
		"ReplicaOrNewDomain=Replica",
		`ReplicaDomainDNSName=${role.realm}`,
		`UserDomain=${role.realm}`,
		`UserName=${role.account}`,
		`Password="${passwords.join ?? ""}"`,
	];
}
