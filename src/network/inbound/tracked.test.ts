import { expect, test } from "vitest";
import { ledIn } from "./tracked.ts";

test("what nft tells of what is led to servers", () => {
	const text = `table inet bulkhead_uplink_1 {
	chain own_to_servers {
		udp dport 514 dnat ip to 10.77.0.20:5514
		ip daddr 127.0.0.1 udp dport 53 dnat ip to 10.77.0.10:53
	}
}
`;
	expect(ledIn(text)).toEqual([
		{ port: "514", rule: "udp dport 514 dnat ip to 10.77.0.20:5514" },
		{ port: "53", rule: "ip daddr 127.0.0.1 udp dport 53 dnat ip to 10.77.0.10:53" },
	]);
	expect(ledIn("table inet bulkhead_uplink_1 {\n\tchain own_to_servers {\n\t}\n}\n")).toEqual([]);
});
