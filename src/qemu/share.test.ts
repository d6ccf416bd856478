import { expect, test } from "vitest";
import { Share } from "./share.ts";

function shareOf() {
	let now = 5000;
	const share = new Share(() => now);
	return {
		spend: (ms: number) =>
			share.spend(() => {
				now += ms;
			}),
		pass: (ms: number) => {
			now += ms;
		},
	};
}

test("a guest that behaves is never waited with", () => {
	const { spend, pass } = shareOf();
	for (let i = 0; i < 100; i++) {
		expect(spend(20)).toBe(0);
		pass(500);
	}
	expect(spend(200)).toBe(0);
});

test("one that keeps the reader busy gets a twentieth of its time", () => {
	const { spend, pass } = shareOf();
	let [busy, all] = [0, 0];
	for (let i = 0; i < 1000; i++) {
		const rest = spend(15);
		pass(rest);
		busy += 15;
		all += 15 + rest;
	}
	expect(busy / all).toBeCloseTo(1 / 20, 2);
});

test("what took very long, as when the host slept, makes nobody wait for hours", () => {
	const { spend, pass } = shareOf();
	expect(spend(8 * 3_600_000)).toBe(10_000);
	pass(10_000);
	expect(spend(1)).toBe(20);
});
