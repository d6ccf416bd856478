import { isIPv6 } from "node:net";
import { expect, test } from "vitest";
import {
	formatAddress6,
	gatewayOf6,
	isForGuests,
	linkLocalOf,
	overlap6,
	parseAddress6,
	parseSubnet6,
	type Subnet6,
} from "./addresses6.ts";

function subnet(text: string): Subnet6 {
	const parsed = parseSubnet6(text);
	if (!parsed) throw new Error(`${text} is no subnet`);
	return parsed;
}

test.each([
	["::", "::"],
	["::1", "::1"],
	["1::", "1::"],
	["fd00:77::10", "fd00:77::10"],
	["FD00:0077:0:0:0:0:0:0010", "fd00:77::10"],
	["1:0:0:2:0:0:0:3", "1:0:0:2::3"],
	["1:0:0:2:0:0:3:4", "1::2:0:0:3:4"],
	["1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"],
	["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
	["ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
])("%s is %s", (text, expected) => {
	expect(formatAddress6(parseAddress6(text) ?? -1n)).toBe(expected);
	expect(isIPv6(text)).toBe(true);
});

test.each([
	"",
	":",
	":::",
	"1",
	"1::2::3",
	"1:2:3:4:5:6:7",
	"1:2:3:4:5:6:7:8:9",
	"1:2:3:4:5:6:7:8::",
	"12345::",
	"fe80::1%eth0",
	"::ffff:10.0.0.1",
	"fd00::1 ",
	"fd00::1\n",
	"fd00::g",
	"1:",
	":1",
	"10.0.0.1",
])("%j is no address", (text) => {
	expect(parseAddress6(text)).toBeUndefined();
});

test.each(["fd00:77::/64", "fd00:77::/120", "::/0", "fd00::1/128"])("%s is a network", (text) => {
	expect(parseSubnet6(text)).toBeDefined();
});

test.each([
	"fd00:77::1/64",
	"fd00:77::/129",
	"fd00:77::",
	"fd00:77::/",
	"fd00:77::/64/64",
	"fd00:77::/064",
	"10.0.0.0/8",
])("%s is no network", (text) => {
	expect(parseSubnet6(text)).toBeUndefined();
});

test("a network's own end, and what overlaps", () => {
	expect(gatewayOf6(subnet("fd00:77::/64"))).toBe("fd00:77::1");
	expect(overlap6(subnet("fd00:77::/64"), subnet("fd00:77::/120"))).toBe(true);
	expect(overlap6(subnet("fd00:77::/64"), subnet("fd00:77:0:1::/64"))).toBe(false);
});

test.each([
	["fd00::/64", true],
	["fc00::/64", true],
	["2001:db8::/64", true],
	["fe80::/64", false],
	["ff02::/64", false],
	["::/64", false],
	["64:ff9b::/96", false],
])("%s is for guests: %s", (text, expected) => {
	expect(isForGuests(subnet(text))).toBe(expected);
});

test("the link-local address of a hardware address", () => {
	expect(linkLocalOf("52:54:00:12:34:56")).toBe("fe80::5054:ff:fe12:3456");
});
