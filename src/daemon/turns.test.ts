import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { Turns } from "./turns.ts";

test("one after the other, also after a failure, which only the one who asked hears of", async () => {
	const turns = new Turns();
	const done: string[] = [];
	const step = (name: string, ms: number) => async () => {
		done.push(`${name} begins`);
		await delay(ms);
		done.push(`${name} ends`);
		return name;
	};
	const first = turns.take(step("first", 20));
	const failing = turns.take(async () => await Promise.reject(new Error("no")));
	const second = turns.take(step("second", 1));
	expect(turns.busy).toBe(true);
	await expect(failing).rejects.toThrow("no");
	expect(await Promise.all([first, second])).toEqual(["first", "second"]);
	expect(done).toEqual(["first begins", "first ends", "second begins", "second ends"]);
	await turns.settled();
	expect(turns.busy).toBe(false);
});

test("what is to be done soon is done soon, or never", async () => {
	const turns = new Turns();
	const refusal = new Error("busy");
	const done: string[] = [];
	const note = (name: string) => async () => done.push(name);
	await turns.takeSoon(20, refusal, note("at once"));
	const long = turns.take(async () => await delay(100));
	await expect(turns.takeSoon(20, refusal, note("too late"))).rejects.toBe(refusal);
	await turns.takeSoon(5000, refusal, note("in time"));
	await long;
	expect(done).toEqual(["at once", "in time"]);
});

test("work that has begun in time may take longer", async () => {
	const turns = new Turns();
	const slow = async () => {
		await delay(60);
		return "done";
	};
	expect(await turns.takeSoon(20, new Error("busy"), slow)).toBe("done");
});
