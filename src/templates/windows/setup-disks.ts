import type { Bus } from "../../api/guest.ts";
import type { Problem } from "../../api/problem.ts";
import { isOld, type WindowsVersion } from "../../api/windows.ts";

/** A server's disks, as Windows' Setup finds them. */
export interface SetupDisks {
	system: Bus;
	/** As the server has them; `filled` are those that come from an image. */
	data: readonly { name: string; bus: Bus; filled: boolean }[];
	/** Whether the machine has the virtio-win ISO in another drive. */
	drivers: boolean;
}

/**
 * What would have Setup find no disk, or wipe another one than the system disk: it is told which by number alone, and takes
 * the one that Windows counts first. That is the system disk's as a rule, when all are on one bus. Windows promises no
 * order, though: Microsoft's KB 937251 (Windows Vista to Windows Server 2012 R2) and KB 825668 (Windows Server 2003).
 * @returns problems with paths relative to the server
 */
export function setupDiskProblems(version: WindowsVersion, disks: SetupDisks): Problem[] {
	const { system, data } = disks;
	const unseen = unseenProblem(version, disks);
	return [
		...(unseen === undefined ? [] : [{ path: ["system", "bus"], message: unseen }]),
		...data.flatMap(({ name, bus, filled }, i): Problem[] => {
			const wiped = `Windows' Setup wipes the disk that Windows counts first, which may be ${name}`;
			if (filled) return [{ path: ["data", i, "image"], message: `${wiped}; add it after the installation` }];
			if (bus === system) return [];
			const mend = `say \`bus: ${system}\` here, or add it after the installation`;
			return [{ path: ["data", i, "bus"], message: `${wiped}, as the system disk is on ${system}; ${mend}` }];
		}),
	];
}

/** No medium of Microsoft's has drivers for these, and Setup of before 2008 takes others from a floppy disk of their own alone. */
function unseenProblem(version: WindowsVersion, { system, drivers }: SetupDisks): string | undefined {
	if (system !== "virtio" && system !== "virtio-scsi") return undefined;
	if (isOld(version)) return `Setup of ${version} has no driver for ${system}, and takes none; leave it out`;
	if (drivers) return undefined;
	return `Windows' Setup has no driver for ${system}; name the virtio-win ISO as \`install.drivers\`, or leave it out`;
}
