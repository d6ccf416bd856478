import { expect, test } from "vitest";
import { bridgesOf, listOf } from "./list.ts";

const segment = {
	...{ name: "office", mac: "02:00:5e:00:00:01", own: "10.77.0.1", length: 22 },
	...{ router: "10.77.0.1", dns: "10.77.0.1" },
};
const server = { segment: "office", mac: "52:54:00:12:34:56", address: "10.77.0.10" };

test("what guests are told, with and without IPv6", () => {
	const six = { prefix: { base: "FD00:77::", length: 64 }, dns: "fd00:77::1" };
	const leases = {
		segments: [
			{ ...segment, six },
			{ ...segment, name: "old", six: undefined },
			{ ...segment, name: "lan", six: {} },
		],
		servers: [{ ...server, address6: "fd00:77:0::10" }, server],
	};
	expect(listOf(leases).split("\n")).toEqual([
		"segment br-office 02:00:5e:00:00:01 10.77.0.1 255.255.252.0 10.77.0.1 10.77.0.1 fd00:77:: 64 fd00:77::1",
		"segment br-old 02:00:5e:00:00:01 10.77.0.1 255.255.252.0 10.77.0.1 10.77.0.1 - 0 -",
		"segment br-lan 02:00:5e:00:00:01 10.77.0.1 255.255.252.0 10.77.0.1 10.77.0.1 - 0 -",
		"server br-office 52:54:00:12:34:56 10.77.0.10 fd00:77::10 fe80::5054:ff:fe12:3456",
		"server br-office 52:54:00:12:34:56 10.77.0.10 - -",
		"",
	]);
	expect(bridgesOf(leases)).toEqual(["br-lan", "br-office", "br-old,4"]);
});

test.each([
	{ name: "office x" },
	{ mac: "02:00:5e:00:00" },
	{ own: "10.77.0" },
	{ length: 33 },
	{ router: "10.77.0.1\nserver" },
	{ dns: "-" },
])("refuses a segment with $name$mac$own$length$router$dns", (wrong) => {
	expect(() => listOf({ segments: [{ ...segment, ...wrong }], servers: [] })).toThrow(RangeError);
});

test.each([{ segment: "a,4" }, { mac: "x" }, { address: "fd00::1" }, { address6: "fd00::1%lo" }])(
	"refuses a server with $segment$mac$address$address6",
	(wrong) => {
		expect(() => listOf({ segments: [], servers: [{ ...server, ...wrong }] })).toThrow(RangeError);
	},
);
