import { expect, test } from "vitest";
import { disjoint } from "./disjoint.ts";
import { pathText } from "./passed.ts";

const path = { from: "10.77.0.10", to: "10.77.0.20", protocol: "tcp" } as const;
const ports = (...ranges: [port: number, last?: number][]) =>
	disjoint(ranges.map(([port, last]) => ({ ...path, port, ...(last === undefined ? {} : { last }) }))).map(
		(one) => pathText(one).split(" . ").at(-1),
	);

test("ranges that overlap are cut where the others begin and end", () => {
	expect(ports([49_152, 65_535], [50_000])).toEqual(["49152-49999", "50000", "50001-65535"]);
	expect(ports([100, 200], [150, 300])).toEqual(["100-149", "150-200", "201-300"]);
	expect(ports([80], [80], [81], [443])).toEqual(["80", "81", "443"]);
	expect(ports([1, 65_535], [1], [65_535])).toEqual(["1", "2-65534", "65535"]);
	expect(ports()).toEqual([]);
});

test("those between other addresses, or of another protocol, have nothing to do with each other", () => {
	const all = [
		{ ...path, port: 49_152, last: 65_535 },
		{ ...path, protocol: "udp", port: 50_000 } as const,
		{ ...path, from: "10.77.0.11", port: 50_000 },
	];
	expect(disjoint(all).map(pathText).sort()).toEqual(all.map(pathText).sort());
});
