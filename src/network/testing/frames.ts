/**
 * Frames as a hostile guest would make them, for a raw socket: each field is given, and whatever is wrong with it is meant.
 */
const bytesOfMac = (mac: string) => Buffer.from(mac.replaceAll(":", ""), "hex");
const bytesOf4 = (address: string) => Buffer.from(address.split(".").map(Number));
const number16 = (value: number) => Buffer.from([value >> 8, value & 0xff]);

/** @param address written out: eight groups */
function bytesOf6(address: string): Buffer {
	const [head = "", tail = ""] = address.split("::");
	const groups = (text: string) => (text === "" ? [] : text.split(":"));
	const missing = 8 - groups(head).length - groups(tail).length;
	const all = [...groups(head), ...Array<string>(missing).fill("0"), ...groups(tail)];
	return Buffer.concat(all.map((group) => number16(Number.parseInt(group, 16))));
}

export const broadcast = "ff:ff:ff:ff:ff:ff";
const types = { ip: 0x0800, arp: 0x0806, ip6: 0x86dd, vlan: 0x8100 } as const;

export function ethernet(from: string, to: string, type: keyof typeof types | number, body: Buffer): Buffer {
	const number = typeof type === "number" ? type : types[type];
	const frame = Buffer.concat([bytesOfMac(to), bytesOfMac(from), number16(number), body]);
	return Buffer.concat([frame, Buffer.alloc(Math.max(0, 60 - frame.length))]);
}

/** The frame with a VLAN tag. */
export function tagged(frame: Buffer, vlan: number): Buffer {
	return Buffer.concat([frame.subarray(0, 12), number16(types.vlan), number16(vlan), frame.subarray(12)]);
}

export function arp(
	operation: number,
	sender: [mac: string, ip: string],
	target: [mac: string, ip: string],
): Buffer {
	const head = Buffer.from([0, 1, 8, 0, 6, 4]);
	const ends = [sender, target].flatMap(([mac, ip]) => [bytesOfMac(mac), bytesOf4(ip)]);
	return Buffer.concat([head, number16(operation), ...ends]);
}

/** @param fragment as in its head (RFC 791, 3.1): 0x2000 says that more fragments follow */
export function ip4(from: string, to: string, protocol: number, body: Buffer, fragment = 0): Buffer {
	const head = Buffer.from([0x45, 0, 0, 0, 0, 0, fragment >> 8, fragment & 0xff, 64, protocol, 0, 0]);
	head.writeUInt16BE(20 + body.length, 2);
	const whole = Buffer.concat([head, bytesOf4(from), bytesOf4(to)]);
	whole.writeUInt16BE(checksum(whole), 10);
	return Buffer.concat([whole, body]);
}

export function ip6(from: string, to: string, next: number, body: Buffer, hops = 255): Buffer {
	const head = Buffer.from([0x60, 0, 0, 0, 0, 0, next, hops]);
	head.writeUInt16BE(body.length, 4);
	return Buffer.concat([head, bytesOf6(from), bytesOf6(to), body]);
}

/** Without a checksum: what would look at it does not get it. */
export function udp(from: number, to: number, body = Buffer.alloc(8)): Buffer {
	return Buffer.concat([number16(from), number16(to), number16(8 + body.length), number16(0), body]);
}

/** With the right checksum, so that nothing but a rule can be what drops it. @param rest what follows the first four bytes */
export function icmp6(from: string, to: string, type: number, rest: Buffer): Buffer {
	const body = Buffer.concat([Buffer.from([type, 0, 0, 0]), rest]);
	const pseudo = Buffer.concat([bytesOf6(from), bytesOf6(to), Buffer.from([0, 0]), number16(body.length)]);
	body.writeUInt16BE(checksum(Buffer.concat([pseudo, Buffer.from([0, 0, 0, 58]), body])), 2);
	return body;
}

/** The ICMP packet by which somebody says that a packet could not be delivered: its port is closed (RFC 792). */
export function undelivered4(from: string, to: string, packet: Buffer): Buffer {
	const body = Buffer.concat([Buffer.from([3, 3, 0, 0, 0, 0, 0, 0]), packet]);
	body.writeUInt16BE(checksum(body), 2);
	return ip4(from, to, 1, body);
}

/** That a packet was too large (RFC 4443, 3.2). */
export function undelivered6(from: string, to: string, packet: Buffer): Buffer {
	return ip6(from, to, 58, icmp6(from, to, 2, Buffer.concat([Buffer.from([0, 0, 5, 0]), packet])));
}

/** A segment without anything, and without a checksum. */
export function tcp(from: number, to: number): Buffer {
	return Buffer.concat([
		number16(from),
		number16(to),
		Buffer.from([0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 4, 0, 0, 0, 0, 0]),
	]);
}

export interface Discovery {
	type: "solicit" | "advert";
	about: string;
	/** The hardware address in its option. */
	mac: string;
}

/** A neighbour solicitation or advertisement, as a packet. */
export function discovery(from: string, to: string, { type, about, mac }: Discovery): Buffer {
	const isAdvert = type === "advert";
	const flags = Buffer.from([isAdvert ? 0x60 : 0, 0, 0, 0]);
	const option = Buffer.concat([Buffer.from([isAdvert ? 2 : 1, 1]), bytesOfMac(mac)]);
	const rest = Buffer.concat([flags, bytesOf6(about), option]);
	return ip6(from, to, 58, icmp6(from, to, isAdvert ? 136 : 135, rest));
}

/** The same packet with an empty options header before its contents, as what hides from filters has. */
export function behindOptions(packet: Buffer): Buffer {
	const options = Buffer.from([packet[6] ?? 0, 0, 1, 4, 0, 0, 0, 0]);
	const head = Buffer.from(packet.subarray(0, 40));
	head[6] = 60;
	head.writeUInt16BE(packet.length - 40 + options.length, 4);
	return Buffer.concat([head, options, packet.subarray(40)]);
}

function checksum(bytes: Buffer): number {
	let sum = 0;
	for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) + (bytes[i + 1] ?? 0);
	while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
	return 0xffff - sum;
}

/** For `perl -e`: writes each frame given in hexadecimal to the interface with the given number, as it is. */
export const sender = `
	my $index = shift;
	socket(my $raw, 17, 3, 0) or die "socket: $!";
	for (@ARGV) {
		my $to = pack("SnlSCCx8", 17, 3, $index, 0, 0, 6);
		defined send($raw, pack("H*", $_), 0, $to) or die "send: $!";
	}
`;

/** For `perl -e`: says "ready", then each frame that comes to the interface from others, in hexadecimal, a line each. */
export const receiver = `
	$| = 1;
	my $index = shift;
	socket(my $raw, 17, 3, unpack("S", pack("n", 3))) or die "socket: $!";
	bind($raw, pack("Snlx12", 17, 3, $index)) or die "bind: $!";
	print "ready\\n";
	while (my $from = recv($raw, my $frame, 65536, 0)) {
		my (undef, undef, undef, undef, $kind) = unpack("SnlSC", $from);
		print unpack("H*", $frame), "\\n" if $kind != 4;
	}
`;
