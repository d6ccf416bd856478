import { shortNameOf } from "../../api/domain.ts";
import { domainRoleOf, type Role } from "../../api/windows.ts";
import type { Installation } from "./answers/answer.ts";

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

const crash = "HKLM\\SYSTEM\\CurrentControlSet\\Control\\CrashControl";
const policies = "HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Policies\\System";
const winlogon = "HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\Winlogon";

function first({ answers, version }: Installation, controller: boolean): string[] {
	const { roles = [], remoteDesktop } = answers;
	const wantsRemote = remoteDesktop || roles.some(({ role }) => role === "remote-desktop");
	const log = (line: string) => `${line} >> C:\\Bulkhead\\first-boot.log 2>&1`;
	return [
		"@echo off",
		...registry(wantsRemote === true).map(log),
		...roles.flatMap(diskCommands).map(log),
		...roles.flatMap(shareCommands).map(log),
		...(controller ? [log("dcpromo /answer:C:\\Bulkhead\\DCPROMO.TXT")] : []),
		...["C:\\Bulkhead\\DCPROMO.TXT", "%SystemRoot%\\system32\\$winnt$.inf"].map(
			(file) => `del /f /q "${file}"`,
		),
		`echo {"finished":true,"version":"${version}"}> C:\\Bulkhead\\finished.json`,
		"del /f /q C:\\Bulkhead\\*.CMD",
		...(version === "windows-2000" ? [] : ["shutdown -r -t 5"]),
	];
}

/** Windows 2000 has `reg` only among its support tools; where it is missing the line is logged, and nothing else is. */
function registry(remoteDesktop: boolean): string[] {
	const number = (key: string, name: string, value: number) =>
		`reg add "${key}" /v ${name} /t REG_DWORD /d ${value} /f`;
	return [
		number(crash, "AutoReboot", 1),
		number(crash, "CrashDumpEnabled", 2),
		number(crash, "NMICrashDump", 1),
		number(policies, "ShutdownWithoutLogon", 1),
		...(remoteDesktop
			? [number("HKLM\\SYSTEM\\CurrentControlSet\\Control\\Terminal Server", "fDenyTSConnections", 0)]
			: []),
		`reg add "${winlogon}" /v AutoAdminLogon /t REG_SZ /d 0 /f`,
		`reg delete "${winlogon}" /v DefaultPassword /f`,
	];
}

function shareCommands(role: Role): string[] {
	if (role.role !== "file-server") return [];
	return role.shares.flatMap(({ name, folder, change, read = [] }) => {
		const changers = change ?? (read.length === 0 ? ["Authenticated Users"] : []);
		const grants = [
			...changers.map((who) => ` "/GRANT:${who},CHANGE"`),
			...read.map((who) => ` "/GRANT:${who},READ"`),
		];
		return [`md "${folder}"`, `net share "${name}=${folder}"${grants.join("")}`];
	});
}

const isDisk = (role: Role) => role.role === "exchange-disk" || role.role === "sql-server-disk";

function diskCommands(role: Role): string[] {
	if (!isDisk(role) || !("letter" in role)) return [];
	return [
		`diskpart /s C:\\Bulkhead\\DISK-${role.letter}.TXT`,
		`echo y| format ${role.letter}: /FS:NTFS "/V:${role.label}" /A:64K /Q`,
	];
}

/** Disks are told apart by their number alone: the system disk is 0. */
function diskScripts({ answers: { roles = [] } }: Installation): Record<string, string> {
	return Object.fromEntries(
		roles
			.filter(isDisk)
			.flatMap((role, index) =>
				"letter" in role
					? [
							[
								`DISK-${role.letter}.TXT`,
								text([
									`select disk ${index + 1}`,
									"create partition primary",
									`assign letter=${role.letter}`,
								]),
							],
						]
					: [],
			),
	);
}

/** Source: Microsoft, Ref.chm of Windows Server 2003's Deploy.cab, [DCInstall]. dcpromo takes the passwords out of it. */
function dcpromoAnswers({ answers, passwords }: Installation): string[] | undefined {
	const role = domainRoleOf(answers);
	if (role === undefined || role.role === "member") return undefined;
	const recovery = passwords.recovery ?? "";
	const common = [
		"[DCInstall]",
		`SafeModeAdminPassword="${recovery}"`,
		"RebootOnSuccess=NoAndNoPromptEither",
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
