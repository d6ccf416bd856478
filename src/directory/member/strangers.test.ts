import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { type ControllerHealth, services } from "./controllers.ts";
import { Strangers } from "./strangers.ts";

const whole = (address: string): ControllerHealth => ({ address, answers: services });
const silent = (address: string): ControllerHealth => ({ address, answers: [] });
const realm = "AD.EXAMPLE.COM";

function asked(world: Record<string, string>) {
	const at = { now: 0, times: 0 };
	const ask = async (address: string) => {
		at.times++;
		const found = world[address];
		if (found === undefined) throw new Error("it does not say");
		return found;
	};
	return { at, strangers: new Strangers(ask, () => at.now) };
}

test("a controller of another domain answers nothing, and that is told", async () => {
	const { strangers } = asked({ a: realm, b: "OTHER.EXAMPLE.ORG" });
	const found = [whole("a"), whole("b")];
	expect(strangers.without(found, realm)).toEqual(found);
	expect(strangers.trouble(["a", "b"], realm)).toBeNull();
	await turn();
	expect(strangers.without(found, realm)).toEqual([whole("a"), silent("b")]);
	expect(strangers.but([silent("b"), silent("a")], realm)).toEqual([silent("a")]);
	expect(strangers.trouble(["a", "b"], realm)).toBe(
		"b serves OTHER.EXAMPLE.ORG, not AD.EXAMPLE.COM, and counts for nothing; leave, and join again without it",
	);
	strangers.forget();
	expect(strangers.trouble(["a", "b"], realm)).toBeNull();
});

test("one is asked when it begins to answer, and then now and then", async () => {
	const { at, strangers } = asked({ a: realm });
	const look = async (found: ControllerHealth, forMs: number) => {
		for (const end = at.now + forMs; at.now < end; at.now += 1000) {
			strangers.without([found], realm);
			await turn();
		}
		return at.times;
	};
	expect(await look(silent("a"), 60_000)).toBe(0);
	expect(await look(whole("a"), 1000)).toBe(1);
	expect(await look(whole("a"), 500_000)).toBe(2);
	await look(silent("a"), 3000);
	// It has just begun, and has other things to do.
	expect(await look(whole("a"), 3000)).toBe(2);
	expect(await look(whole("a"), 3000)).toBe(3);
});

test("one that does not say what it serves is taken for what it was, and asked again", async () => {
	const world: Record<string, string> = { a: "OTHER.EXAMPLE.ORG" };
	const { at, strangers } = asked(world);
	strangers.without([whole("a"), whole("b")], realm);
	await turn();
	delete world.a;
	at.now += 400_000;
	strangers.without([whole("a"), whole("b")], realm);
	await turn();
	expect(strangers.without([whole("a"), whole("b")], realm)).toEqual([silent("a"), whole("b")]);
	world.a = realm;
	at.now += 11_000;
	strangers.without([whole("a")], realm);
	await turn();
	expect(strangers.without([whole("a")], realm)).toEqual([whole("a")]);
});
