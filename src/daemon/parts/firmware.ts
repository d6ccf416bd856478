import { existsSync } from "node:fs";
import { chmod, chown, copyFile, mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { explain } from "../../api/errors.ts";
import { errorCode, syncFile, syncFolder } from "../../host/files.ts";
import { firmwareFiles, variablesFile } from "../../qemu/command-line/index.ts";
import type { Hardware } from "../../qemu/hardware.ts";
import type { ServerPaths } from "../../store/paths.ts";

/**
 * The folder with the server's own firmware variables, made as Debian's package has them when there are none: what a
 * system writes there (which disk it boots from, keys) is kept like its disks.
 * @throws Error that says which package is missing
 */
export async function ensureVariables(
	{ firmware }: ServerPaths,
	uid: number,
	{ platform }: Hardware,
): Promise<string | undefined> {
	if (platform.firmware === "bios") return undefined;
	const file = join(firmware, variablesFile(platform.firmware));
	if (existsSync(file)) return firmware;
	await mkdir(firmware, { recursive: true, mode: 0o755 });
	const draft = `${file}.draft`;
	try {
		await copyFile(firmwareFiles[platform.firmware].variables, draft);
	} catch (cause) {
		await rm(draft, { force: true });
		if (errorCode(cause) !== "ENOENT") throw cause;
		throw new Error(`UEFI needs the package ovmf: ${explain(cause)}; apt install ovmf`, { cause });
	}
	await chown(draft, uid, uid);
	await chmod(draft, 0o600);
	// Whole before it has its name: what is there is never made anew.
	await syncFile(draft);
	await rename(draft, file);
	await syncFolder(firmware);
	return firmware;
}
