/** An IPv4 network as numbers: `10.77.0.0/24` is base 0x0a4d0000, length 24. */
export interface Subnet {
	base: number;
	length: number;
}

/** Not `010`: what reads addresses as C does takes that for 8. */
const number = /^(?:0|[1-9]\d{0,2})$/;

/** @returns the address as a number, or undefined when the text is not an IPv4 address */
export function parseAddress(text: string): number | undefined {
	const parts = text.split(".", 5);
	if (parts.length !== 4 || !parts.every((part) => number.test(part) && Number(part) <= 255))
		return undefined;
	return parts.reduce((all, part) => all * 256 + Number(part), 0);
}

export function formatAddress(address: number): string {
	return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join(".");
}

/** @returns the network, or undefined when the text is not one; host bits must be zero */
export function parseSubnet(text: string): Subnet | undefined {
	const [address = "", length = "", ...more] = text.split("/");
	const base = parseAddress(address);
	if (base === undefined || more.length > 0 || !number.test(length)) return undefined;
	const subnet = { base, length: Number(length) };
	return subnet.length <= 32 && base % sizeOf(subnet) === 0 ? subnet : undefined;
}

/** How a text that is no address or network has to be written: as it is without zeros in front, where that makes it one; else as an example. */
export function writtenAs(text: string, example: string): string {
	const plain = text.replace(/(?<=^|[./])0+(?=\d)/g, "");
	const isRight = parseAddress(plain) !== undefined || parseSubnet(plain) !== undefined;
	return plain !== text && isRight
		? `${plain}, without zeros in front, which some programs take for octal`
		: example;
}

export function sizeOf(subnet: Subnet): number {
	return 2 ** (32 - subnet.length);
}

export function contains(subnet: Subnet, address: number): boolean {
	return address >= subnet.base && address < subnet.base + sizeOf(subnet);
}

export function overlap(a: Subnet, b: Subnet): boolean {
	return contains(a, b.base) || contains(b, a.base);
}

/** The first usable address: the sandbox's own end of the segment. */
export function gatewayOf(subnet: Subnet): string {
	return formatAddress(subnet.base + 1);
}
