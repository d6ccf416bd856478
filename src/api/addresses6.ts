/** An IPv6 network as numbers: `fd00:77::/64` is base 0xfd000077 << 96, length 64. */
export interface Subnet6 {
	base: bigint;
	length: number;
}

const groupCount = 8;

/** @returns the address as a number, or undefined when the text is not an IPv6 address; zones and dotted ends are not taken */
export function parseAddress6(text: string): bigint | undefined {
	if (!/^[0-9a-fA-F:]{2,39}$/.test(text)) return undefined;
	const halves = text.split("::");
	if (halves.length > 2) return undefined;
	const [head = [], tail = []] = halves.map((half) => (half === "" ? [] : half.split(":")));
	const missing = groupCount - head.length - tail.length;
	if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
	const groups = [...head, ...Array<string>(missing).fill("0"), ...tail];
	if (groups.some((group) => !/^[0-9a-fA-F]{1,4}$/.test(group))) return undefined;
	return groups.reduce((all, group) => (all << 16n) | BigInt(`0x${group}`), 0n);
}

/** @returns the one way to write it (RFC 5952): lower case, the first longest run of two and more zeros as `::` */
export function formatAddress6(address: bigint): string {
	const groups = Array.from({ length: groupCount }, (_, i) =>
		((address >> BigInt(16 * (groupCount - 1 - i))) & 0xffffn).toString(16),
	);
	let [from, count] = [0, 0];
	for (let i = 0; i < groupCount; i++) {
		let zeros = 0;
		while (groups[i + zeros] === "0") zeros++;
		if (zeros > count) [from, count] = [i, zeros];
	}
	if (count < 2) return groups.join(":");
	return `${groups.slice(0, from).join(":")}::${groups.slice(from + count).join(":")}`;
}

/** @returns the network, or undefined when the text is not one; host bits must be zero */
export function parseSubnet6(text: string): Subnet6 | undefined {
	const [address = "", length = "", ...more] = text.split("/");
	const base = parseAddress6(address);
	if (base === undefined || more.length > 0 || !/^(?:0|[1-9]\d{0,2})$/.test(length)) return undefined;
	const subnet = { base, length: Number(length) };
	return subnet.length <= 128 && base % sizeOf6(subnet) === 0n ? subnet : undefined;
}

export function sizeOf6(subnet: Subnet6): bigint {
	return 1n << BigInt(128 - subnet.length);
}

export function contains6(subnet: Subnet6, address: bigint): boolean {
	return address >= subnet.base && address < subnet.base + sizeOf6(subnet);
}

export function overlap6(a: Subnet6, b: Subnet6): boolean {
	return contains6(a, b.base) || contains6(b, a.base);
}

/** The sandbox's own end of the segment. The address before it, all zeros, means every router (RFC 4291, 2.6.1). */
export function gatewayOf6(subnet: Subnet6): string {
	return formatAddress6(subnet.base + 1n);
}

/** Whether guests may have addresses of it: unique-local (RFC 4193) or global unicast (RFC 4291, 2.4). */
export function isForGuests(subnet: Subnet6): boolean {
	const first = subnet.base >> 120n;
	return (first & 0xfen) === 0xfcn || (first & 0xe0n) === 0x20n;
}

/** The link-local address that a kernel makes from a hardware address (RFC 4291, appendix A). */
export function linkLocalOf(mac: string): string {
	const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = mac.split(":").map((part) => Number.parseInt(part, 16));
	const bytes = [a ^ 2, b, c, 0xff, 0xfe, d, e, f];
	return formatAddress6((0xfe80n << 112n) | bytes.reduce((all, byte) => (all << 8n) | BigInt(byte), 0n));
}
