import { isIPv4 } from "node:net";
import { formatAddress6, parseAddress6 } from "../api/addresses6.ts";

/**
 * By which routes and proxy entries say that they are ours: a routing protocol's number that iproute2 has no name for.
 */
export const ourProtocol = "178";

/** @returns an address that can be written into a rule or a command. @throws RangeError for what is none */
export function ipv4(address: string): string {
	if (!isIPv4(address)) throw new RangeError(`not an address: ${address}`);
	return address;
}

/** @returns it in its one form (RFC 5952). @throws RangeError for what is none */
export function ipv6(address: string): string {
	const parsed = parseAddress6(address);
	if (parsed === undefined) throw new RangeError(`not an address: ${address}`);
	return formatAddress6(parsed);
}

/** @returns all addresses of a server. @throws RangeError for what is none */
export function addressesOf({ address, address6 }: { address: string; address6?: string | undefined }) {
	return [ipv4(address), ...(address6 === undefined ? [] : [ipv6(address6)])];
}
