import { afterEach, expect, test, vi } from "vitest";
import { forgetSendersTo, ledIn } from "./tracked.ts";

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

afterEach(() => vi.unstubAllEnvs());

test("without the program conntrack nothing is forgotten, and nothing fails", async () => {
	vi.stubEnv("PATH", import.meta.dirname);
	const ways = [{ service: "everything", to: "lan", ports: "everything" }] as const;
	const server = { name: "web", address: "192.0.2.1", address6: "2001:db8::1", ways, redirects: [] };
	await expect(forgetSendersTo([server], {})).resolves.toBeUndefined();
});
