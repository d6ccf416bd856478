import { chown, mkdir } from "node:fs/promises";
import { BulkheadError } from "../api/errors.ts";
import type { ServerDefinition } from "../api/site.ts";
import { isWindowsVersion } from "../api/windows.ts";
import { macOf } from "../network/plan.ts";
import { platformOf } from "../qemu/guests.ts";
import type { StoredServer } from "../store/servers.ts";
import type { DataDisk } from "../templates/windows/data-disks.ts";
import { buildAnswersMedia } from "../templates/windows/media.ts";
import type { Context } from "./context.ts";
import { guestOf, qemuUid } from "./resolve.ts";

/**
 * Makes the medium that a Windows finds its answers on when it is installed; it is the server's alone.
 * @throws BulkheadError bad-input, host-lacks
 */
export async function makeAnswers(
	server: StoredServer,
	context: Context,
	signal?: AbortSignal,
): Promise<void> {
	const { definition, name, site } = server;
	const { answers, drivers } = definition.install ?? {};
	const version = guestOf(server);
	if (!answers || !isWindowsVersion(version))
		throw new BulkheadError(
			"bad-input",
			`servers.${name}.install.answers: are for Windows, and ${name} is ${version}`,
		);
	const { answers: folder } = context.paths.server(name);
	await mkdir(folder, { recursive: true, mode: 0o700 });
	const { file } = await buildAnswersMedia({
		version,
		firmware: platformOf(version, "tcg", definition).firmware === "bios" ? "bios" : "uefi",
		answers,
		drivers: drivers !== undefined,
		data: disksForRoles(definition),
		...(definition.network ? { mac: definition.network.mac ?? macOf(site, name) } : {}),
		folder,
		...(signal ? { signal } : {}),
	});
	await chown(file, qemuUid(server), qemuUid(server));
}

/** The data disks of a server that is about to be installed. */
export function disksForRoles({ data = [] }: ServerDefinition): DataDisk[] {
	return data.map(({ name, image }) => ({ name, filled: image !== undefined }));
}
