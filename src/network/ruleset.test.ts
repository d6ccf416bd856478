import { expect, test } from "vitest";
import { firewall, permissionLines } from "./ruleset.ts";
import { anew } from "./table.ts";

const none = { paths: [], open: [] };

test("the firewall of every sandbox", async () => {
	await expect(`${anew(firewall).join("\n")}\n`).toMatchFileSnapshot("goldens/firewall.nft");
});

test("what two servers and their front doors may do", async () => {
	const lines = permissionLines(
		[
			{ uid: 300_020, address: "10.77.0.20", port: 80 },
			{ uid: 300_010, address: "10.77.0.10", port: 389 },
			{ uid: 300_020, address: "10.77.0.20", port: 80 },
		],
		{
			paths: [
				{ from: "10.77.0.20", to: "10.77.0.10", protocol: "tcp", port: 389 },
				{ from: "fd00:77::20", to: "fd00:77::10", protocol: "udp", port: 53 },
			],
			open: ["office"],
		},
	);
	await expect(`${lines.join("\n")}\n`).toMatchFileSnapshot("goldens/two-servers.nft");
});

test("without permissions nothing is let out", async () => {
	await expect(`${permissionLines([], none).join("\n")}\n`).toMatchFileSnapshot("goldens/closed.nft");
});

test.each([
	{ uid: 1, address: "10.0.0.1 . 80; }", port: 80 },
	{ uid: 1, address: "fd00::1", port: 80 },
	{ uid: 1, address: "10.0.0.1", port: 65_536 },
	{ uid: 1, address: "10.0.0.1", port: 1.5 },
	{ uid: -1, address: "10.0.0.1", port: 80 },
])("refuses $uid . $address . $port", (permission) => {
	expect(() => permissionLines([permission], none)).toThrow(RangeError);
});

test.each([
	{ from: "10.0.0.1", to: "fd00::1", port: 80 },
	{ from: "fd00::1", to: "10.0.0.1", port: 80 },
	{ from: "fd00::1%lo }", to: "fd00::2", port: 80 },
	{ from: "10.0.0.1", to: "10.0.0.2 }", port: 80 },
	{ from: "10.0.0.1", to: "10.0.0.2", port: 0 },
])("refuses a path from $from to $to port $port", (path) => {
	expect(() => permissionLines([], { paths: [{ ...path, protocol: "tcp" }], open: [] })).toThrow(RangeError);
});

test("refuses a segment of another name", () => {
	expect(() => permissionLines([], { paths: [], open: ['a" }'] })).toThrow(RangeError);
});
