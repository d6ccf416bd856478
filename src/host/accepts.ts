import { once } from "node:events";
import { connect, type NetConnectOpts } from "node:net";

/** @returns whether somebody takes a connection there within the time; not when it is refused, unreachable or silent */
export async function accepts(
	where: NetConnectOpts,
	deadlineMs: number,
	signal?: AbortSignal,
): Promise<boolean> {
	const socket = connect(where);
	const ends = [AbortSignal.timeout(deadlineMs), ...(signal ? [signal] : [])];
	try {
		await once(socket, "connect", { signal: AbortSignal.any(ends) });
		return true;
	} catch {
		return false;
	} finally {
		socket.on("error", () => {});
		socket.destroy();
	}
}
