import { expect, test } from "vitest";
import { type IdleFelt, idleVerdicts } from "./idle.ts";

const felt = (connections: number, waited: Partial<IdleFelt["waited"]> = {}): IdleFelt => ({
	connections,
	kept: { closed: 0, answers: { answered: connections }, outageMs: 300 },
	waited: {
		...{ opened: connections, answers: { answered: connections }, outageMs: 2000, lastAfterMs: 900 },
		...waited,
	},
});
const found = (one: IdleFelt) => idleVerdicts(one).map(({ broken }) => broken);

test("thousands that waited, and were served, are what was promised; of fewer, all have to wait", () => {
	expect(found(felt(9000))).toEqual([null, null]);
	expect(found(felt(9000, { opened: 1000 }))).toEqual([null, null]);
	expect(found(felt(200))).toEqual([null, null]);
});

test("connections that came when the server was back already show nothing of waiting", () => {
	expect(found(felt(9000, { opened: 999 }))).toEqual([null, "too few came while it was away"]);
	expect(found(felt(200, { opened: 199 }))).toEqual([null, "too few came while it was away"]);
});

test("one that was closed is told", () => {
	const one = felt(9000, { answers: { answered: 8999, closed: 1 } });
	expect(found(one)).toEqual([null, "8999 answered, 1 closed"]);
});
