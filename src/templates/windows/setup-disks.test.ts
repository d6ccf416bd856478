import { expect, test } from "vitest";
import type { Bus } from "../../api/guest.ts";
import { windowsVersions } from "../../api/windows.ts";
import { type SetupDisks, setupDiskProblems } from "./setup-disks.ts";

const disk = (name: string, bus: Bus, filled = false) => ({ name, bus, filled });
const problems = (version: (typeof windowsVersions)[number], disks: Partial<SetupDisks>) =>
	setupDiskProblems(version, { system: "sata", data: [], drivers: true, ...disks }).map(
		({ path, message }) => `${path.join(".")}: ${message}`,
	);

test.each(windowsVersions)("%s is installed beside empty data disks on the system disk's bus", (version) => {
	expect(problems(version, { data: [disk("a", "sata"), disk("b", "sata")], drivers: false })).toEqual([]);
});

test.each(windowsVersions)("%s is not installed beside a disk that it might count first", (version) => {
	expect(problems(version, { system: "ide", data: [disk("a", "ide"), disk("b", "sata")] })).toEqual([
		"data.1.bus: Windows' Setup wipes the disk that Windows counts first, which may be b, as the system disk is on ide; say `bus: ide` here, or add it after the installation",
	]);
});

test.each(windowsVersions)("%s is not installed beside a disk with something on it", (version) => {
	for (const bus of ["sata", "ide"] as const)
		expect(problems(version, { data: [disk("a", "sata"), disk("archive", bus, true)] })).toEqual([
			"data.1.image: Windows' Setup wipes the disk that Windows counts first, which may be archive; add it after the installation",
		]);
});

test.each(["virtio", "virtio-scsi"] as const)(
	"a system disk on %s is seen with its driver alone",
	(system) => {
		const data = [disk("a", system)];
		expect(problems("windows-server-2022", { system, data })).toEqual([]);
		expect(problems("windows-server-2022", { system, data, drivers: false })).toEqual([
			`system.bus: Windows' Setup has no driver for ${system}; name the virtio-win ISO as \`install.drivers\`, or leave it out`,
		]);
		for (const version of ["windows-server-2003", "windows-2000"] as const)
			expect(problems(version, { system, data })).toEqual([
				`system.bus: Setup of ${version} has no driver for ${system}, and takes none; leave it out`,
			]);
	},
);
