import { expect, test } from "vitest";
import { type Held, heldVerdicts } from "./held.ts";

const held = (change: Partial<Held> = {}): Held => ({
	...{ forMs: 60_000, logins: [40, 70], refused: 0, letIn: 0, backOnlineMs: 900, ...change },
});
const found = (change: Partial<Held> = {}) => heldVerdicts(held(change)).map(({ broken }) => broken);

test("all is kept", () => {
	expect(found()).toEqual([null, null, null]);
});

test("an outage that was over before anybody logged in shows nothing of logins", () => {
	expect(found({ forMs: 2000, logins: [] })).toEqual([undefined, undefined, null]);
});

test("who is refused, slow or wrongly let in, and a host that is late, break their promises", () => {
	expect(found({ refused: 1, letIn: 2, backOnlineMs: 3001 })).toEqual([
		"1 were refused",
		"2 were let in",
		"3001 ms",
	]);
	expect(found({ logins: [40, 200] })).toEqual(["200 ms", null, null]);
});
