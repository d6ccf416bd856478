import { expect, test } from "vitest";
import { changesOf, elementsIn, passedBy, pathText } from "./passed.ts";

const element = (concat: unknown[], packets = 0) => ({
	elem: { val: { concat }, counter: { packets, bytes: packets * 100 } },
});
const answer = JSON.stringify({
	nftables: [
		{ metainfo: { version: "1.0.6" } },
		{
			set: {
				...{ family: "inet", table: "bulkhead", name: "allowed" },
				elem: [
					element(["10.77.0.10", "10.77.0.20", "tcp", 80], 3),
					element(["10.77.0.10", "10.77.0.20", "udp", 53]),
					element(["10.77.0.10", "10.77.0.20", "tcp", { range: [49_152, 65_535] }]),
				],
			},
		},
		{
			set: {
				...{ family: "inet", table: "bulkhead", name: "allowed6" },
				elem: [element(["fd00:77::10", "fd00:77::20", "tcp", 80], 4)],
			},
		},
		{ set: { family: "inet", table: "bulkhead", name: "open", elem: [element(["br-lab", "br-lab"], 9)] } },
		{
			set: { family: "inet", table: "bulkhead", name: "published", elem: [{ concat: [1, "10.0.0.1", 80] }] },
		},
		{ set: { family: "inet", table: "outbound", name: "allowed", elem: ["192.0.2.1"] } },
		{ set: { family: "inet", table: "bulkhead", name: "upstreams" } },
	],
});
const path = { from: "10.77.0.10", to: "10.77.0.20", protocol: "tcp", port: 80 } as const;

test("what each path has counted, IPv4 and IPv6 together", () => {
	const elements = elementsIn(answer);
	const six = { ...path, from: "FD00:77:0::10", to: "fd00:77::0020" };
	expect(passedBy(elements, [path, six])).toEqual({ packets: 7, bytes: 700 });
	expect(passedBy(elements, [{ ...path, port: 81 }])).toEqual({ packets: 0, bytes: 0 });
	expect(elements.open.get('"br-lab" . "br-lab"')).toEqual({ packets: 9, bytes: 900 });
});

test("what has gone by a path that is cut into several elements, and by one that is a part of others", () => {
	const text = (port: number, last: number) => pathText({ ...path, port, last });
	const allowed = new Map(
		[text(100, 149), text(150, 150), text(151, 200)].map((one, i) => [one, { packets: 10 ** i, bytes: 0 }]),
	);
	const elements = { ...elementsIn(answer), allowed };
	expect(passedBy(elements, [{ ...path, port: 100, last: 200 }]).packets).toBe(111);
	expect(passedBy(elements, [{ ...path, port: 150 }]).packets).toBe(10);
});

test("only elements that differ are changed: the others go on counting", () => {
	const elements = elementsIn(answer);
	const kept = pathText({ ...path, port: 49_152, last: 65_535 });
	const wanted = [pathText(path), kept, pathText({ ...path, port: 443 })];
	expect(changesOf("allowed", elements, wanted)).toEqual([
		"delete element inet bulkhead allowed { 10.77.0.10 . 10.77.0.20 . udp . 53 }",
		"add element inet bulkhead allowed { 10.77.0.10 . 10.77.0.20 . tcp . 443 }",
	]);
	expect(changesOf("allowed6", elements, ["fd00:77::10 . fd00:77::20 . tcp . 80"])).toEqual([]);
	expect(changesOf("open", elements, [])).toEqual([
		'delete element inet bulkhead open { "br-lab" . "br-lab" }',
	]);
});
