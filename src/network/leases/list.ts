import { linkLocalOf } from "../../api/addresses6.ts";
import { ipv4, ipv6 } from "../addresses.ts";
import { bridgeNameOf } from "../plan.ts";
import type { LeaseSegment, LeaseServer, Leases } from "./plan.ts";

/**
 * What the program that answers (answer.pl) reads: one line a segment and one a server, `-` for what there is none of.
 * @throws RangeError for what is no address, name or length
 */
export function listOf({ segments, servers }: Leases): string {
	return [...segments.map(segmentLine), ...servers.map(serverLine), ""].join("\n");
}

/** What it has to open: `br-office`, and `br-office,4` for a segment without IPv6. @throws RangeError for what is no name */
export function bridgesOf({ segments }: Leases): string[] {
	return segments.map(({ name, six }) => (six ? bridgeOf(name) : `${bridgeOf(name)},4`)).sort();
}

function segmentLine({ name, mac, own, length, router, dns, six }: LeaseSegment): string {
	const { prefix } = six ?? {};
	const four = [ipv4(own), maskOf(length), ipv4(router), ipv4(dns)];
	const sixth = [
		prefix ? ipv6(prefix.base) : "-",
		prefix ? `${whole(prefix.length, 128)}` : "0",
		six?.dns === undefined ? "-" : ipv6(six.dns),
	];
	return ["segment", bridgeOf(name), macText(mac), ...four, ...sixth].join(" ");
}

function serverLine({ segment, mac, address, address6 }: LeaseServer): string {
	const six = address6 === undefined ? ["-", "-"] : [ipv6(address6), linkLocalOf(mac)];
	return ["server", bridgeOf(segment), macText(mac), ipv4(address), ...six].join(" ");
}

function bridgeOf(segment: string): string {
	if (!/^[a-z][a-z0-9-]*$/.test(segment)) throw new RangeError(`not a segment: ${segment}`);
	return bridgeNameOf(segment);
}

function macText(mac: string): string {
	if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac)) throw new RangeError(`not a hardware address: ${mac}`);
	return mac;
}

function maskOf(length: number): string {
	const bits = 2 ** 32 - 2 ** (32 - whole(length, 32));
	return [24, 16, 8, 0].map((shift) => Math.floor(bits / 2 ** shift) % 256).join(".");
}

function whole(value: number, most: number): number {
	if (!Number.isInteger(value) || value < 0 || value > most) throw new RangeError(`not a length: ${value}`);
	return value;
}
