import type { NetworkInterfaceInfo } from "node:os";
import { contains, parseAddress, parseSubnet } from "../../../api/addresses.ts";
import { BulkheadError } from "../../../api/errors.ts";

type Interfaces = NodeJS.Dict<NetworkInterfaceInfo[]>;

/** RFC 1918. */
const privateNetworks = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"].flatMap(
	(text) => parseSubnet(text) ?? [],
);

/** Addresses of networks that the internet does not lead to; RFC 4193 for IPv6. */
function isPrivate({ address, family }: NetworkInterfaceInfo): boolean {
	if (family === "IPv6") return /^f[cd]/i.test(address);
	const number = parseAddress(address);
	return number !== undefined && privateNetworks.some((network) => contains(network, number));
}

/** Cables to sandboxes and the like, which users are not behind; containers' networks by the names that Docker, Podman, libvirt and LXC give them. */
const inner =
	/^(?:lo|bhup-.*|bhdns.*|docker\d.*|br-[0-9a-f]{12}|podman\d.*|cni.*|virbr.*|lxc.*|lxdbr.*|incusbr.*|vboxnet.*|veth.*)$/;

/**
 * Where shares are served: where the administrator says, else at the host's addresses in private networks, and never by itself at one that the
 * internet could lead to. @returns the addresses. @throws BulkheadError when there are none, or not of this host; pure
 */
export function chooseListen(wanted: readonly string[] | null, interfaces: Interfaces): string[] {
	const all = Object.entries(interfaces).flatMap(([name, list]) =>
		(list ?? []).map((one) => ({ ...one, name })),
	);
	const isOutside = ({ name, internal, address }: (typeof all)[number]) =>
		!internal && !inner.test(name) && !address.startsWith("fe80:");
	const outside = all.filter(isOutside);
	const has = `it has ${outside.map(({ address }) => address).join(", ") || "none"}`;
	if (wanted === null) {
		const chosen = outside.filter(isPrivate).map(({ address }) => address);
		if (chosen.length > 0) return chosen;
		throw new BulkheadError(
			"bad-input",
			`listen: this host has no address in a private network; say with --listen where shares are to be served (${has})`,
		);
	}
	for (const address of wanted)
		if (!all.some((one) => one.address === address))
			throw new BulkheadError("bad-input", `listen: ${address} is no address of this host (${has})`);
	return [...new Set(wanted)];
}
