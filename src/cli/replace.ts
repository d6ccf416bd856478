import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { BulkheadError } from "../api/errors.ts";

/**
 * Replaces this process with another program of Bulkhead: same process id, same standard streams, so that a
 * supervisor such as systemd sees the daemon itself. The commands never load the daemon's code.
 * @param script path under `src/`
 * @throws BulkheadError when the program is not there
 */
export function replaceProcess(script: string, args: readonly string[], state: string | undefined): void {
	const path = fileURLToPath(new URL(`../${script}`, import.meta.url));
	if (!existsSync(path)) {
		throw new BulkheadError("host-lacks", `${path} is missing; this copy of Bulkhead is not complete`);
	}
	if (!process.execve) throw new BulkheadError("host-lacks", "this Node.js cannot replace its process");
	const moved = state === undefined ? {} : { BULKHEAD_STATE: state };
	const environment = { ...process.env, ...moved };
	process.execve(process.execPath, [process.execPath, ...process.execArgv, path, ...args], environment);
}
