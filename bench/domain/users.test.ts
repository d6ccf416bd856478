import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { Repeated, stillMs } from "./users.ts";

test("what had been sent before a panic, and comes right after it, is not served by who comes after", async () => {
	const asking = new Repeated(async () => {});
	await asking.stop();
	asking.asks.splice(0);
	asking.asks.push({ from: 980, to: 1000 + stillMs, ok: true });
	expect(asking.servedAfter(1000)).toBeNull();
	asking.asks.push({ from: 1100, to: 2000, ok: false }, { from: 2100, to: 3000, ok: true });
	expect(asking.servedAfter(1000)).toBe(2000);
});

test("nor is it the last that is asked", async () => {
	let asked = 0;
	const asking = new Repeated(async () => void asked++, 1);
	const moment = performance.now();
	asking.untilServedAfter(moment);
	while (asking.servedAfter(moment) === null) await delay(5);
	const { to } = asking.asks.at(-1) ?? { to: 0 };
	expect(to).toBeGreaterThan(moment + stillMs);
	expect(asked).toBeGreaterThan(1);
	await asking.stop();
});
