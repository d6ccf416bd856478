import { expect, test } from "vitest";
import { rulesetOf } from "./ruleset.ts";

test("the ruleset of two servers", async () => {
	const text = rulesetOf([
		{ uid: 300_020, address: "10.77.0.20", port: 80 },
		{ uid: 300_010, address: "10.77.0.10", port: 389 },
		{ uid: 300_020, address: "10.77.0.20", port: 80 },
	]);
	await expect(text).toMatchFileSnapshot("goldens/two-servers.nft");
});

test("without permissions nothing is let out", async () => {
	await expect(rulesetOf([])).toMatchFileSnapshot("goldens/closed.nft");
});

test.each([
	{ uid: 1, address: "10.0.0.1 . 80; }", port: 80 },
	{ uid: 1, address: "fd00::1", port: 80 },
	{ uid: 1, address: "10.0.0.1", port: 65_536 },
	{ uid: 1, address: "10.0.0.1", port: 1.5 },
	{ uid: -1, address: "10.0.0.1", port: 80 },
])("refuses $uid . $address . $port", (permission) => {
	expect(() => rulesetOf([permission])).toThrow(RangeError);
});
