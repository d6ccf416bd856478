import { existsSync } from "node:fs";
import type { Drive } from "../../qemu/hardware.ts";
import type { StoredServer } from "../../store/servers.ts";
import type { Context } from "../context.ts";
import { discOf, drivesOf } from "../resolve.ts";

/**
 * The drives of a server's next session. A disc whose file is gone from the host leaves its drive empty: nobody needs an
 * installer to recover, and a session that waited for one would never begin.
 */
export function presentDrives(server: StoredServer, { paths, history }: Context): Drive[] {
	return drivesOf(server).map((drive) => {
		if (drive.file === null) return drive;
		const { file } = discOf(server, drive, paths.server(server.name));
		if (existsSync(file)) return drive;
		const text = `${file} is not there: its drive is empty in this session`;
		history.append({ at: Date.now(), server: server.name, session: null, kind: "session", text });
		return { ...drive, file: null };
	});
}
