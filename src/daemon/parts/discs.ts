import { explain } from "../../api/errors.ts";
import { formatDuration } from "../../api/units.ts";
import { DeadlineError } from "../../host/clock.ts";
import { farWithinMs, lookAtFarFile } from "../../host/far-file.ts";
import type { Drive } from "../../qemu/hardware.ts";
import type { StoredServer } from "../../store/servers.ts";
import type { Context } from "../context.ts";
import { discOf, drivesOf } from "../resolve.ts";

/**
 * The drives of a server's next session. A disc whose file is gone from the host, or on a share that does not answer, leaves
 * its drive empty: nobody needs an installer to recover, and a session that waited for one would never begin.
 * @param withinMs milliseconds that a look at a disc may take
 */
export async function presentDrives(
	server: StoredServer,
	{ paths, history }: Context,
	withinMs = farWithinMs,
): Promise<Drive[]> {
	const present = drivesOf(server).map(async (drive) => {
		if (drive.file === null) return drive;
		const { file } = discOf(server, drive, paths.server(server.name));
		const why = await whyAbsent(file, withinMs);
		if (why === undefined) return drive;
		const text = `${file} ${why}: its drive is empty in this session`;
		history.append({ at: Date.now(), server: server.name, session: null, kind: "session", text });
		return { ...drive, file: null };
	});
	return await Promise.all(present);
}

async function whyAbsent(file: string, withinMs: number): Promise<string | undefined> {
	try {
		return (await lookAtFarFile(file, withinMs)) ? undefined : "is not there";
	} catch (error) {
		if (error instanceof DeadlineError)
			return `is on a disk or a share that did not answer within ${formatDuration(error.afterMs)}`;
		return `cannot be looked at (${explain(error)})`;
	}
}
