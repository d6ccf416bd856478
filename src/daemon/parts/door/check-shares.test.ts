import { expect, test } from "vitest";
import { checkPorts, checkPortsOf, doorShares } from "../../../network/pace.ts";
import type { ServicePlan } from "../../../network/plan.ts";
import { CheckShares } from "./check-shares.ts";

const door = (listen: number, port = 80) => ({ listen, port }) as ServicePlan;

test("front doors of one port of a server never have a port for their checks in common", () => {
	const shares = new CheckShares();
	// All of them would have the same one.
	const listens = Array.from({ length: doorShares }, (_, i) => 80 + doorShares * i);
	const ranges = [...listens.map((listen) => checkPortsOf(shares.of(door(listen)))), checkPortsOf("watched")];
	for (const [i, one] of ranges.entries()) {
		expect(one.first).toBeGreaterThanOrEqual(checkPorts.first);
		expect(one.last).toBeLessThanOrEqual(checkPorts.last);
		for (const other of ranges.slice(i + 1))
			expect(one.last < other.first || other.last < one.first, `${one.first} and ${other.first}`).toBe(true);
	}
});

test("a front door keeps its share while it is there, whatever becomes of others", () => {
	const shares = new CheckShares();
	const [first, second] = [shares.of(door(80)), shares.of(door(8000))];
	expect(second).not.toBe(first);
	// Another port of the server is no matter of theirs.
	expect(shares.of(door(80 + 2 * doorShares, 443))).toBe(first);
	shares.forget(80);
	expect(shares.of(door(8000))).toBe(second);
	expect(shares.of(door(80 + doorShares))).toBe(first);
	expect(shares.of(door(80))).not.toBe(first);
});

test("one that runs already keeps the share that it has, unless another has it too", () => {
	const shares = new CheckShares();
	expect(shares.of(door(8000), 9)).toBe(9);
	expect(shares.of(door(80), 9)).not.toBe(9);
});
