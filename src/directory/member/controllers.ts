import { once } from "node:events";
import { connect } from "node:net";
import { type ControllerService, controllerPorts } from "../../api/domain.ts";

/** How a controller answers. */
export interface ControllerHealth {
	address: string;
	answers: ControllerService[];
}

export const services = Object.keys(controllerPorts) as ControllerService[];

/** Asks what a member needs of each controller, all at the same time. @param deadlineMs for each */
export async function askControllers(
	addresses: readonly string[],
	deadlineMs: number,
	signal?: AbortSignal,
): Promise<ControllerHealth[]> {
	return await Promise.all(
		addresses.map(async (address) => {
			const asked = services.map(async (service) =>
				(await accepts(address, controllerPorts[service], deadlineMs, signal)) ? [service] : [],
			);
			return { address, answers: (await Promise.all(asked)).flat() };
		}),
	);
}

/** Whether it answers all that a member needs. */
export function isWhole({ answers }: ControllerHealth): boolean {
	return answers.length === services.length;
}

async function accepts(
	host: string,
	port: number,
	deadlineMs: number,
	signal?: AbortSignal,
): Promise<boolean> {
	const socket = connect({ host, port });
	const ends = [AbortSignal.timeout(deadlineMs), ...(signal ? [signal] : [])];
	try {
		await once(socket, "connect", { signal: AbortSignal.any(ends) });
		return true;
	} catch {
		// Refused, unreachable or silent: it does not answer.
		return false;
	} finally {
		socket.on("error", () => {});
		socket.destroy();
	}
}
