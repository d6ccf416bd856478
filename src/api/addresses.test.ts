import { expect, test } from "vitest";
import {
	contains,
	formatAddress,
	gatewayOf,
	overlap,
	parseAddress,
	parseSubnet,
	type Subnet,
	writtenAs,
} from "./addresses.ts";

function subnet(text: string): Subnet {
	const parsed = parseSubnet(text);
	if (!parsed) throw new Error(`${text} is no subnet`);
	return parsed;
}

test.each(["0.0.0.0", "10.77.0.10", "255.255.255.255"])("%s comes back as it was", (text) => {
	expect(formatAddress(parseAddress(text) ?? Number.NaN)).toBe(text);
});

test.each([
	"",
	"10.77.0",
	"10.77.0.256",
	"10.77.0.1.2",
	"a.b.c.d",
	"10.77.0.1 ",
	" 10.77.0.1",
	"10.77.0.-1",
	"::1",
	"192.168.010.020",
	"00.0.0.0",
])("%j is no address", (text) => {
	expect(parseAddress(text)).toBeUndefined();
});

test.each(["10.77.0.0/24", "10.0.0.0/8", "0.0.0.0/0", "10.77.0.8/29", "10.77.0.1/32"])(
	"%s is a network",
	(text) => {
		expect(parseSubnet(text)).toBeDefined();
	},
);

test.each([
	"10.77.0.0",
	"10.77.0.1/24",
	"10.77.0.0/33",
	"10.77.0.0/",
	"10.77.0.0/-1",
	"010.77.0.0/24",
	"10.0.0.0/08",
])("%s is no network", (text) => {
	expect(parseSubnet(text)).toBeUndefined();
});

test.each([
	["192.168.010.020", "192.168.10.20, without"],
	["010.000.0.0/08", "10.0.0.0/8, without"],
	["10.77.0.256", "like this"],
	["010.77.0.256", "like this"],
	["ten", "like this"],
])("%s is to be written as %s", (text, expected) => {
	expect(writtenAs(text, "like this").replace(/(?<=without).*/, "")).toBe(expected);
});

test("a network with more behind it is no network", () => {
	expect(parseSubnet("10.77.0.0/24/8")).toBeUndefined();
});

test("contains its first and its last address, and not those beside them", () => {
	const net = subnet("10.77.4.0/22");
	const inside = (text: string) => contains(net, parseAddress(text) ?? Number.NaN);
	expect([inside("10.77.4.0"), inside("10.77.7.255")]).toEqual([true, true]);
	expect([inside("10.77.3.255"), inside("10.77.8.0")]).toEqual([false, false]);
});

test.each([
	["10.77.0.0/24", "10.77.1.0/24", false],
	["10.77.0.0/24", "10.77.0.128/25", true],
	["10.77.0.128/25", "10.77.0.0/24", true],
	["10.77.0.0/24", "10.77.0.0/24", true],
])("%s and %s overlap: %s", (a, b, expected) => {
	expect(overlap(subnet(a), subnet(b))).toBe(expected);
});

test("the sandbox has the first address", () => {
	expect(gatewayOf(subnet("10.77.0.0/24"))).toBe("10.77.0.1");
});
