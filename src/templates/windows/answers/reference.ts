import type { Pass } from "./answer.ts";

/** Settings of a component by name: those below each, or `leaf` when it holds a value. */
export interface Shape {
	readonly [setting: string]: Shape | "leaf";
}

/** A component as Microsoft's reference has it: as far as answer files of ours use it. */
export interface Component {
	/** Page below https://learn.microsoft.com/windows-hardware/customize/desktop/unattend/ */
	source: string;
	passes: readonly Pass[];
	settings: Shape;
}

const hidden = { Value: "leaf", PlainText: "leaf" } as const;
const international = {
	InputLocale: "leaf",
	SystemLocale: "leaf",
	UILanguage: "leaf",
	UserLocale: "leaf",
} as const;

/**
 * Microsoft's Unattended Windows Setup Reference, as far as it is used: a name that is not here is a slip of the hand, which
 * Setup would stop at.
 */
export const reference: Readonly<Record<string, Component>> = {
	"Microsoft-Windows-International-Core-WinPE": {
		source: "microsoft-windows-international-core-winpe",
		passes: ["windowsPE"],
		settings: { SetupUILanguage: { UILanguage: "leaf" }, ...international },
	},
	"Microsoft-Windows-PnpCustomizationsWinPE": {
		source: "microsoft-windows-pnpcustomizationswinpe",
		passes: ["windowsPE"],
		settings: { DriverPaths: { PathAndCredentials: { Path: "leaf" } } },
	},
	"Microsoft-Windows-Setup": {
		source: "microsoft-windows-setup",
		passes: ["windowsPE"],
		settings: {
			DiskConfiguration: {
				Disk: {
					DiskID: "leaf",
					WillWipeDisk: "leaf",
					CreatePartitions: {
						CreatePartition: { Order: "leaf", Type: "leaf", Size: "leaf", Extend: "leaf" },
					},
					ModifyPartitions: {
						ModifyPartition: {
							Order: "leaf",
							PartitionID: "leaf",
							Active: "leaf",
							Format: "leaf",
							Label: "leaf",
							Letter: "leaf",
						},
					},
				},
				WillShowUI: "leaf",
			},
			DynamicUpdate: { Enable: "leaf", WillShowUI: "leaf" },
			ImageInstall: {
				OSImage: {
					InstallFrom: { MetaData: { Key: "leaf", Value: "leaf" } },
					InstallTo: { DiskID: "leaf", PartitionID: "leaf" },
					WillShowUI: "leaf",
				},
			},
			UserData: {
				AcceptEula: "leaf",
				FullName: "leaf",
				Organization: "leaf",
				ProductKey: { Key: "leaf", WillShowUI: "leaf" },
			},
		},
	},
	"Microsoft-Windows-DNS-Client": {
		source: "microsoft-windows-dns-client",
		passes: ["specialize"],
		settings: {
			Interfaces: { Interface: { DNSServerSearchOrder: { IpAddress: "leaf" }, Identifier: "leaf" } },
		},
	},
	"Microsoft-Windows-UnattendedJoin": {
		source: "microsoft-windows-unattendedjoin",
		passes: ["specialize"],
		settings: {
			Identification: {
				Credentials: { Domain: "leaf", Password: "leaf", Username: "leaf" },
				JoinDomain: "leaf",
				MachineObjectOU: "leaf",
			},
		},
	},
	"Microsoft-Windows-International-Core": {
		source: "microsoft-windows-international-core",
		passes: ["specialize", "oobeSystem"],
		settings: international,
	},
	"Microsoft-Windows-Shell-Setup": {
		source: "microsoft-windows-shell-setup",
		passes: ["specialize", "oobeSystem"],
		settings: {
			AutoLogon: { Domain: "leaf", Enabled: "leaf", LogonCount: "leaf", Password: hidden, Username: "leaf" },
			ComputerName: "leaf",
			FirstLogonCommands: {
				SynchronousCommand: { CommandLine: "leaf", Description: "leaf", Order: "leaf" },
			},
			OOBE: {
				HideEULAPage: "leaf",
				HideLocalAccountScreen: "leaf",
				HideOEMRegistrationScreen: "leaf",
				HideOnlineAccountScreens: "leaf",
				HideWirelessSetupInOOBE: "leaf",
				NetworkLocation: "leaf",
				ProtectYourPC: "leaf",
				SkipMachineOOBE: "leaf",
				SkipUserOOBE: "leaf",
			},
			ProductKey: "leaf",
			TimeZone: "leaf",
			UserAccounts: { AdministratorPassword: hidden },
		},
	},
};

/** Settings that are valid in one pass only, though their component is in several. */
export const onlyIn: Readonly<Record<string, Pass>> = {
	ComputerName: "specialize",
	ProductKey: "specialize",
	FirstLogonCommands: "oobeSystem",
	OOBE: "oobeSystem",
	UserAccounts: "oobeSystem",
};

/** What Windows of before 8 does not know, below OOBE. */
export const unknownToSeven = [
	"HideLocalAccountScreen",
	"HideOEMRegistrationScreen",
	"HideOnlineAccountScreens",
] as const;

/**
 * Deprecated, and for testing only: with them Windows takes none of the other settings of its last pages, `ProtectYourPC`
 * among them (Microsoft, "Microsoft-Windows-Shell-Setup | OOBE | SkipMachineOOBE"). Windows 7 has nothing else.
 */
export const forSevenAlone = ["SkipMachineOOBE", "SkipUserOOBE"] as const;

/** Longest values, in characters, by the names of their setting and the one above it. */
export const longest: Readonly<Record<string, number>> = {
	"PathAndCredentials/Path": 259,
	"SynchronousCommand/CommandLine": 1024,
	"SynchronousCommand/Description": 256,
	"ModifyPartition/Label": 32,
};
