import { isIPv4 } from "node:net";
import { ipv4, ipv6 } from "../addresses.ts";
import { inside } from "../namespace.ts";
import { hasInnerTable } from "../outbound/uplink.ts";

const table = "inet outbound";

/**
 * These servers yield, and no others. Without a way out nobody comes but from the sandbox, and nothing is done.
 * @returns whether they do
 * @throws CommandError, RangeError for what is no address
 */
export async function setYielding(namespace: string, addresses: readonly string[]): Promise<boolean> {
	const fill = (set: string, elements: readonly string[]) => [
		`flush set ${table} ${set}`,
		...(elements.length === 0 ? [] : [`add element ${table} ${set} { ${elements.join(", ")} }`]),
	];
	const four = addresses.filter((address) => isIPv4(address)).map(ipv4);
	const six = addresses.filter((address) => !isIPv4(address)).map(ipv6);
	const lines = [...fill("yielding", four), ...fill("yielding6", six)];
	try {
		await inside(namespace, ["nft", "-f", "-"], `${lines.join("\n")}\n`);
		return true;
	} catch (error) {
		// Asked only now: who comes in the meantime is not refused.
		if (await hasInnerTable(namespace)) throw error;
		return false;
	}
}
