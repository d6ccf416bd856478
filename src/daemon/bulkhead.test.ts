import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Bulkhead } from "./bulkhead.ts";
import { Turns } from "./turns.ts";

describe("a server that is to be deleted while the site is being changed", () => {
	let changing: Turns;
	let deleted: string[];
	let bulkhead: Bulkhead;
	let change: PromiseWithResolvers<void>;
	let gone: AbortController;

	beforeEach(() => {
		vi.useFakeTimers();
		changing = new Turns();
		deleted = [];
		gone = new AbortController();
		const changes = { deleteStopped: async (name: string) => void deleted.push(name) };
		bulkhead = Object.assign(Object.create(Bulkhead.prototype), { changing, changes, current: {} });
		change = Promise.withResolvers();
		void changing.take(async () => await change.promise);
	});
	afterEach(() => vi.useRealTimers());

	test("is deleted when its turn comes", async () => {
		const asked = bulkhead.delete("web", gone.signal);
		change.resolve();
		await asked;
		expect(deleted).toEqual(["web"]);
	});

	test("stays when whoever asked for it has gone by then", async () => {
		const asked = bulkhead.delete("web", gone.signal);
		gone.abort(new Error("the client went away"));
		change.resolve();
		await expect(asked).rejects.toThrow("the client went away");
		await changing.settled();
		expect(deleted).toEqual([]);
	});

	test("stays when its turn does not come soon, and that is said", async () => {
		const asked = bulkhead.delete("web", gone.signal);
		const refused = expect(asked).rejects.toMatchObject({
			code: "not-allowed-now",
			message: expect.stringMatching(/^the site is being changed .*; nothing was changed$/),
		});
		await vi.advanceTimersByTimeAsync(20_000);
		await refused;
		change.resolve();
		await changing.settled();
		expect(deleted).toEqual([]);
	});
});
