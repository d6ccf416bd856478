import { expect, test } from "vitest";
import { countersIn } from "./counters.ts";
import { spoofingCounters } from "./spoofing.ts";

const counter = (name: string, packets: number) => ({
	counter: { family: "inet", name, table: "bulkhead", handle: 1, packets, bytes: packets * 60 },
});
const answer = (names: readonly string[]) =>
	JSON.stringify({
		nftables: [{ metainfo: { version: "1.0.6" } }, ...names.map((name, i) => counter(name, i))],
	});

test("what nft tells of each counter", () => {
	const names = ["dropped_in", "dropped_forward", "dropped_out", "opened", ...spoofingCounters];
	expect(countersIn(answer(names))).toMatchObject({
		dropped_in: { packets: 0, bytes: 0 },
		opened: { packets: 3, bytes: 180 },
	});
});

test("a counter that is missing is told, and not taken for zero", () => {
	expect(() => countersIn(answer(["dropped_in"]))).toThrow("does not count dropped_forward");
});
