import { type ControllerService, controllerPorts } from "../../api/domain.ts";
import { accepts } from "../../host/accepts.ts";

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
				(await accepts({ host: address, port: controllerPorts[service] }, deadlineMs, signal))
					? [service]
					: [],
			);
			return { address, answers: (await Promise.all(asked)).flat() };
		}),
	);
}

/** Whether it answers all that a member needs. */
export function isWhole({ answers }: ControllerHealth): boolean {
	return answers.length === services.length;
}

/**
 * In which order they are tried: those that answer first, as each that does not is waited for, and of name servers three at
 * most are read (resolv.conf(5)). Pure.
 * @returns none when nobody answers: then it stays as it is
 */
export function inOrder(found: readonly ControllerHealth[]): string[] {
	const rank = (one: ControllerHealth) => (isWhole(one) ? 0 : one.answers.includes("dns") ? 1 : 2);
	if (found.every((one) => rank(one) === 2)) return [];
	return [...found].sort((one, other) => rank(one) - rank(other)).map(({ address }) => address);
}
