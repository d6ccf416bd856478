import { isWindowsVersion, type WindowsVersion } from "../../api/windows.ts";

export type Firmware = "bios" | "uefi";

/** What an installation has to know of a version of Windows. */
export interface WindowsFacts {
	/** Kind of its answer file. */
	answerFile: "autounattend.xml" | "winnt.sif";
	kind: "server" | "client";
	architecture: "amd64" | "x86";
	/**
	 * Its folders on the virtio-win ISO, below the one of each driver, best first: older ISOs lack those of the newest Windows.
	 * Source: virtio-win/virtio-win-pkg-scripts, util/filemap.py (SUPPORTED_OSES).
	 */
	drivers: readonly string[];
	/** The guest tools' installer supports Windows 10, Windows Server 2016 and later. */
	guestTools: boolean;
	/** The version of PowerShell that comes with it; null when there is none. */
	powershell: 2 | 4 | 5 | null;
	/** Windows 7 and 2008 R2 want a BIOS for their screen also under UEFI, Windows 11 wants UEFI. */
	firmware: readonly Firmware[];
}

const modern = {
	answerFile: "autounattend.xml",
	architecture: "amd64",
	guestTools: true,
	powershell: 5,
	firmware: ["uefi", "bios"],
} as const;
const old = { answerFile: "winnt.sif", kind: "server", architecture: "x86", guestTools: false } as const;

export const windowsFacts: Readonly<Record<WindowsVersion, WindowsFacts>> = {
	"windows-server-2025": { ...modern, kind: "server", drivers: ["2k25", "2k22"] },
	"windows-server-2022": { ...modern, kind: "server", drivers: ["2k22"] },
	"windows-server-2019": { ...modern, kind: "server", drivers: ["2k19"] },
	"windows-server-2016": { ...modern, kind: "server", drivers: ["2k16"] },
	"windows-server-2012-r2": {
		...modern,
		kind: "server",
		drivers: ["2k12R2"],
		guestTools: false,
		powershell: 4,
	},
	"windows-server-2008-r2": {
		...modern,
		kind: "server",
		drivers: ["2k8R2"],
		guestTools: false,
		powershell: 2,
		firmware: ["bios"],
	},
	"windows-server-2003": { ...old, drivers: ["2k3"], powershell: null, firmware: ["bios"] },
	"windows-2000": { ...old, drivers: [], powershell: null, firmware: ["bios"] },
	"windows-11": { ...modern, kind: "client", drivers: ["w11", "w10"], firmware: ["uefi"] },
	"windows-10": { ...modern, kind: "client", drivers: ["w10"] },
	"windows-7": {
		...modern,
		kind: "client",
		drivers: ["w7"],
		guestTools: false,
		powershell: 2,
		firmware: ["bios"],
	},
};

/** Whether what a guest's installer is told has to be on a floppy disk. @param guest any of src/api/guest.ts */
export function hasAnswersFloppy(guest: string): boolean {
	return isWindowsVersion(guest) && windowsFacts[guest].answerFile === "winnt.sif";
}
