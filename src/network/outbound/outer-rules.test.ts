import { expect, test } from "vitest";
import { inwardLines } from "../inbound/outer-rules.ts";
import { outerLines, tableOf } from "./outer-rules.ts";

test("the table of a cable's outer end, and what goes in by it", async () => {
	const link = "bhup-0123abcd";
	const made = outerLines(
		link,
		["169.254.255.1", "fd62:756c:6b68::1"],
		["169.254.255.0", "fd62:756c:6b68::"],
	);
	const filled = inwardLines(tableOf(link), [
		{
			...{ name: "dc1", address: "192.168.1.20", address6: "2001:db8:1::20", redirects: [] },
			ways: [{ service: "ldap", to: "lan", ports: [{ protocol: "tcp", first: 389, last: 389 }] }],
		},
		{
			...{ name: "names", address: "10.77.0.12", ways: [] },
			redirects: [
				{ service: "dns", to: "lan", listen: 53, port: 5353 },
				{ service: "logs", to: "host", listen: 514, port: 514 },
			],
		},
	]);
	await expect(`${[...made, ...filled].join("\n")}\n`).toMatchFileSnapshot("../goldens/uplink.nft");
});
