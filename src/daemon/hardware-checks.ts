import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { explain } from "../api/errors.ts";
import type { GuestName } from "../api/guest.ts";
import type { Problem } from "../api/problem.ts";
import type { ServerDefinition } from "../api/site.ts";
import { formatDuration } from "../api/units.ts";
import { isWindowsVersion } from "../api/windows.ts";
import { DeadlineError } from "../host/clock.ts";
import { type FarFile, farWithinMs, lookAtFarFile } from "../host/far-file.ts";
import { firmwareFiles, takenNames, whyNotAttachable } from "../qemu/command-line/index.ts";
import { guests, platformOf } from "../qemu/guests.ts";
import type { StoredServer } from "../store/servers.ts";
import { whyNotAnswerable } from "../templates/windows/media.ts";
import { type SetupDisks, setupDiskProblems } from "../templates/windows/setup-disks.ts";
import { disksForRoles } from "./answers.ts";
import { busOf, cardOf, dataDisksOf, drivesOf, guestOf, isInstalling, isWarm } from "./resolve.ts";

const readableByOthers = 0o004;
const tpmProgram = "/usr/bin/swtpm";

/**
 * What of a server's hardware cannot be built on this host: disks without a place, discs that are not there, missing packages.
 * @param withinMs milliseconds that a look at a disc may take
 */
export async function hardwareOnHost(
	name: string,
	definition: ServerDefinition,
	old: StoredServer | undefined,
	withinMs = farWithinMs,
): Promise<Problem[]> {
	const at = ["servers", name];
	const names = nameProblems(name, definition, old);
	if (definition.template !== undefined) return names;
	const guest = definition.guest ?? old?.installed.guest ?? "other";
	const platform = platformOf(guest, "tcg", definition);
	const usual = guests[guest].disk;
	const { system, data = [], install } = definition;
	const disks = [{ bus: system?.bus ?? usual }, ...data.map(({ bus = usual }) => ({ bus }))];
	const drives = drivesOf(asStored(guest, definition)).filter(({ kind }) => kind === "cd").length;
	const sealable = platform.firmware === "bios" && platform.tpm === "none";
	const unsealable =
		"warm is not possible with UEFI or a TPM, whose state would not belong to the seal; use `cold`";
	const unattachable = whyNotAttachable(platform, disks, drives);
	return [
		...names,
		...(await answersOnHost(guest, definition, old, at)),
		...setupProblems(guest, definition, old).map(({ path, message }) => ({
			path: [...at, ...path],
			message,
		})),
		...(definition.recovery?.mode === "warm" && !sealable
			? [{ path: [...at, "recovery", "mode"], message: unsealable }]
			: []),
		...(unattachable === undefined ? [] : [{ path: [...at, "system", "bus"], message: unattachable }]),
		...(await discProblem(inDrive(install?.iso, old), [...at, "install", "iso"], withinMs)),
		...(await discProblem(inDrive(install?.drivers, old), [...at, "install", "drivers"], withinMs)),
		...(await packageProblems(platform, at)),
	];
}

/** As much of a server as its hardware follows from. */
function asStored(guest: GuestName, definition: ServerDefinition): StoredServer {
	return { definition, installed: { guest }, ejected: [] } as unknown as StoredServer;
}

/** QEMU tells devices apart by their names, and a data disk's is the one that the site gives it. */
function nameProblems(name: string, definition: ServerDefinition, old: StoredServer | undefined): Problem[] {
	// Templates' guests are Linux.
	const guest = old?.installed.guest ?? (definition.template === undefined ? "other" : "linux");
	const server = asStored(guest, definition);
	const taken = takenNames({
		...{ name, uuid: "", generation: "", accelerator: "tcg", memoryBytes: 0, cpus: 1, screen: true },
		...{ memory: { kind: "own" }, boot: { kind: "disk" } },
		platform: platformOf(guestOf(server), "tcg", definition),
		disks: [{ name: "system", file: "", keep: "kept", bus: busOf(server) }, ...dataDisksOf(server)],
		hotplug: isWarm(server),
		drives: drivesOf(server),
		nic: definition.network ? { tap: "", mac: "", card: cardOf(server) } : null,
		limits: { bytesPerSecond: 0, operationsPerSecond: 0 },
	});
	return (definition.data ?? []).flatMap((disk, i) => {
		if (!taken.includes(disk.name)) return [];
		const message = `"${disk.name}" is what another of this server's devices is called; choose another name`;
		return [{ path: ["servers", name, "data", i, "name"], message }];
	});
}

/** A disc that was ejected may be gone. */
function inDrive(disc: string | undefined, old: StoredServer | undefined): string | undefined {
	return disc !== undefined && old?.ejected.includes(disc) ? undefined : disc;
}

/** They are read when the server is made, and never again. */
async function answersOnHost(
	guest: string,
	definition: ServerDefinition,
	old: StoredServer | undefined,
	at: string[],
): Promise<Problem[]> {
	const { install } = definition;
	if (!install?.answers || old || !isWindowsVersion(guest)) return [];
	const problems = await whyNotAnswerable({
		version: guest,
		firmware: platformOf(guest, "tcg", definition).firmware === "bios" ? "bios" : "uefi",
		answers: install.answers,
		drivers: install.drivers !== undefined,
		data: disksForRoles(definition),
	});
	return problems.map(({ path, message }) => ({ path: [...at, "install", "answers", ...path], message }));
}

/** Of a server that Setup may still run in, only what is new: the rest it has found already. */
function setupProblems(
	guest: GuestName,
	definition: ServerDefinition,
	old: StoredServer | undefined,
): Problem[] {
	if (!definition.install?.answers || !isWindowsVersion(guest)) return [];
	if (old && !isInstalling(old)) return [];
	const known = old ? setupDiskProblems(guest, disksForSetup(guest, old.definition)) : [];
	return setupDiskProblems(guest, disksForSetup(guest, definition)).filter(
		({ message }) => !known.some((before) => before.message === message),
	);
}

function disksForSetup(guest: GuestName, { system, data = [], install }: ServerDefinition): SetupDisks {
	const usual = guests[guest].disk;
	return {
		system: system?.bus ?? usual,
		data: data.map(({ name, bus = usual, image }) => ({ name, bus, filled: image !== undefined })),
		drivers: install?.drivers !== undefined,
	};
}

/** A session reads it as a user of its own. */
async function discProblem(disc: string | undefined, path: string[], withinMs: number): Promise<Problem[]> {
	if (disc === undefined) return [];
	try {
		const message = discTrouble(disc, await lookAtFarFile(disc, withinMs));
		return message === undefined ? [] : [{ path, message }];
	} catch (error) {
		if (!(error instanceof DeadlineError))
			return [{ path, message: `${disc} cannot be read (${explain(error)}); put it there, or name another` }];
		const within = formatDuration(error.afterMs);
		const message = `${disc} cannot be looked at within ${within}; is the disk or the network there that it is on?`;
		return [{ path, message }];
	}
}

function discTrouble(disc: string, found: FarFile | undefined): string | undefined {
	if (!found) return `${disc} cannot be read (there is no such file); put it there, or name another`;
	if (!found.isFile) return `${disc} is no file; name an ISO image`;
	if (found.mode & readableByOthers) return undefined;
	return `${disc} can be read by its owner only; let sessions read it: chmod o+r ${disc}`;
}

async function packageProblems(
	{ firmware, tpm }: ReturnType<typeof platformOf>,
	at: string[],
): Promise<Problem[]> {
	const problems: Problem[] = [];
	const missing = async (file: string) =>
		await access(file, constants.R_OK).then(
			() => false,
			() => true,
		);
	if (firmware !== "bios" && (await missing(firmwareFiles[firmware].code)))
		problems.push({
			path: [...at, "firmware"],
			message: `${firmware} needs the package ovmf; apt install ovmf`,
		});
	if (tpm !== "none" && (await missing(tpmProgram)))
		problems.push({
			path: [...at, "tpm"],
			message: "a TPM needs the package swtpm; apt install swtpm, or say `tpm: false`",
		});
	return problems;
}
