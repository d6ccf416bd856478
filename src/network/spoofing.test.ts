import { expect, test } from "vitest";
import { elementsOf, knownIn, portRules } from "./spoofing.ts";
import { anew } from "./table.ts";

const port = {
	...{
		server: "web",
		segment: "office",
		address: "10.77.0.10",
		mac: "52:54:00:12:34:56",
		tap: "tap1-7",
		uid: 1,
	},
	address6: "FD00:77:0::10",
};

test("the rules for every port", async () => {
	await expect(`${anew(portRules).join("\n")}\n`).toMatchFileSnapshot("goldens/ports.nft");
});

test("what a port may send as", () => {
	expect(elementsOf(port)).toEqual([
		{ set: "own", element: ["tap1-7", "52:54:00:12:34:56", "10.77.0.10"] },
		{ set: "macs", element: ["tap1-7", "52:54:00:12:34:56"] },
		{ set: "ips", element: ["tap1-7", "10.77.0.10"] },
		{ set: "arp_macs", element: ["52:54:00:12:34:56", "tap1-7"] },
		{ set: "arp_ips", element: ["tap1-7", "10.77.0.10"] },
		{ set: "clients", element: ["tap1-7", "0x525400123456"] },
		{ set: "six", element: ["tap1-7"] },
		{ set: "ips6", element: ["tap1-7", "fd00:77::10"] },
		{ set: "nd_targets", element: ["tap1-7", "0xfd000077000000000000000000000010"] },
		{ set: "ips6", element: ["tap1-7", "fe80::5054:ff:fe12:3456"] },
		{ set: "nd_targets", element: ["tap1-7", "0xfe80000000000000505400fffe123456"] },
	]);
	expect(elementsOf({ ...port, address6: undefined })).toHaveLength(6);
});

test.each([
	{ tap: 'tap" }' },
	{ mac: "52:54:00:12:34" },
	{ address: "10.77.0" },
	{ address6: "fd00::1%lo" },
	{ address6: "10.77.0.10" },
])("refuses a port with $tap$mac$address$address6", (wrong) => {
	expect(() => elementsOf({ ...port, ...wrong })).toThrow(RangeError);
});

test("what nft tells of the sets; one of other rules is left out", () => {
	const set = (name: string, elem: unknown[]) => ({
		set: { family: "bridge", name, table: "bulkhead", elem },
	});
	const text = JSON.stringify({
		nftables: [
			{ metainfo: { version: "1.0.6" } },
			set("six", ["tap1-7"]),
			set("ips6", [{ concat: ["tap1-7", "fd00::1"] }]),
			set("clients", [{ concat: ["tap1-7", 0x005400123456] }]),
			set("later", [{ concat: ["tap1-7", "x"] }]),
			{ set: { family: "bridge", name: "macs", table: "bulkhead" } },
		],
	});
	expect(knownIn(text)).toEqual([
		{ set: "six", element: ["tap1-7"] },
		{ set: "ips6", element: ["tap1-7", "fd00::1"] },
		{ set: "clients", element: ["tap1-7", "0x005400123456"] },
	]);
});
