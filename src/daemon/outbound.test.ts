import { expect, test } from "vitest";
import { outboundRulesOf } from "./outbound.ts";

test("what a definition lets out", () => {
	expect(outboundRulesOf(undefined)).toEqual([]);
	expect(outboundRulesOf("deny")).toEqual([]);
	expect(outboundRulesOf("allow")).toEqual([{ to: "any", protocol: "any", ports: [] }]);
	expect(
		outboundRulesOf([
			{ to: "192.0.2.10", ports: [443, "8000-8010"] },
			{ to: "any", protocol: "icmp" },
		]),
	).toEqual([
		{
			to: "192.0.2.10",
			protocol: "tcp",
			ports: [
				[443, 443],
				[8000, 8010],
			],
		},
		{ to: "any", protocol: "icmp", ports: [] },
	]);
});
