import { expect, test } from "vitest";
import { RecognisedScreens } from "./screens.ts";

/** A screen of one colour. */
function ppm(shade: number, { width = 64, height = 48 } = {}): Buffer {
	return Buffer.concat([
		Buffer.from(`P6\n${width} ${height}\n255\n`),
		Buffer.alloc(width * height * 3, shade),
	]);
}

/** Screens that show one picture after the other, with a clock of their own. */
function screens(...pictures: (Buffer | Error)[]) {
	const clock = { now: 0, taken: 0 };
	const picture = async () => {
		clock.taken++;
		const next = pictures.shift() ?? ppm(0);
		if (next instanceof Error) throw next;
		return next;
	};
	return { clock, screens: new RecognisedScreens(picture, () => clock.now) };
}

test("a screen is looked at every three seconds, and every second when there is reason to", async () => {
	const { clock, screens: one } = screens();
	const looks: boolean[] = [];
	for (const [now, suspicious] of [
		[0, false],
		[2999, false],
		[3000, false],
		[3999, true],
		[4000, true],
	] as const) {
		clock.now = now;
		looks.push((await one.look(suspicious)) !== undefined);
	}
	expect(looks).toEqual([true, false, true, false, true]);
	expect(clock.taken).toBe(3);
});

test("what stands there is told, also when it has not changed", async () => {
	const { screens: one } = screens(ppm(0), ppm(0));
	expect(await one.lookNow()).toEqual({ kind: "black" });
	expect(await one.lookNow()).toEqual({ kind: "black" });
});

test("many small changes are a large one in the end", async () => {
	// White, then five black pixels more at each look, of three thousand.
	const growing = Array.from({ length: 616 }, (_, step) => {
		const picture = ppm(255);
		return picture.fill(0, picture.length - Math.min(64 * 48, 2 + step * 5) * 3);
	});
	const { screens: one } = screens(...growing);
	let seen: unknown;
	for (const _ of growing) seen = await one.lookNow();
	expect(seen).toEqual({ kind: "black" });
});

test.each<[string, Buffer | Error]>([
	["a QEMU that does not answer", new Error("QMP screendump did not finish within 400 ms")],
	["a file that is no picture", Buffer.from("\x89PNG")],
	["half a picture", ppm(0).subarray(0, 500)],
	["a picture of an absurd size", Buffer.from("P6\n999999 999999\n255\n")],
	["nothing", Buffer.alloc(0)],
])("%s is no screen, and no trouble", async (_, picture) => {
	const { screens: one } = screens(picture, ppm(0));
	expect(await one.lookNow()).toBeUndefined();
	expect(await one.lookNow()).toEqual({ kind: "black" });
});

test("two who look at the same time get the same picture", async () => {
	const { clock, screens: one } = screens();
	expect(await Promise.all([one.lookNow(), one.lookNow(), one.look(false)])).toEqual([
		{ kind: "black" },
		{ kind: "black" },
		undefined,
	]);
	expect(clock.taken).toBe(1);
});
