import { setImmediate as turn } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DeadlineError } from "../../host/clock.ts";
import { type Reading, ReadingTooLong, ScreenReader } from "./screen-reader.ts";
import { RecognisedScreens } from "./screens.ts";

const reader = new ScreenReader(60_000);
// It has its modules loaded before anything waits for it.
beforeAll(
	async () => void (await reader.read(new Uint8Array(ppm(0)), undefined, AbortSignal.timeout(20_000))),
	30_000,
);
afterAll(async () => await reader.close());

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
	return { clock, screens: new RecognisedScreens(picture, reader, () => clock.now) };
}

/** A reader that answers when it is told to, in the place of one in a worker. */
function slowReader() {
	const waiting: ((answer: Error | Partial<Reading>) => void)[] = [];
	const read = async (picture: Uint8Array<ArrayBuffer>) => {
		const { promise, resolve } = Promise.withResolvers<Error | Partial<Reading>>();
		waiting.push(resolve);
		const answer = await promise;
		if (answer instanceof Error) throw answer;
		return { looked: { picture, seen: { kind: "black" } as const }, still: false, tookMs: 0, ...answer };
	};
	return { waiting, read };
}

test("a look does not wait for a screen that takes long: what is seen is told with a later one", async () => {
	const slow = slowReader();
	const one = new RecognisedScreens(async () => ppm(0), slow);
	expect(await one.look(false)).toBeUndefined();
	expect(await one.look(true)).toBeUndefined();
	expect(slow.waiting).toHaveLength(1);
	slow.waiting[0]?.({});
	await turn();
	expect(await one.look(false)).toEqual({ kind: "black" });
	expect(await one.look(false)).toBeUndefined();
});

test.each<[string, Error | Partial<Reading>, number]>([
	["took 400 ms", { tookMs: 400 }, 8000],
	["took 700 ms, though no longer than what was seen counts", { tookMs: 700 }, 10_000],
	["took too long", new ReadingTooLong(1000), 10_000],
	["could not be taken in time", new DeadlineError("QMP screendump", 400), 3000],
	["was quick", { tookMs: 10 }, 3000],
	["was quick, and stands still,", { tookMs: 10, still: true }, 5000],
])("a screen that %s rests for twenty times that", async (_, answer, restMs) => {
	const clock = { now: 0 };
	const slow = slowReader();
	const one = new RecognisedScreens(
		async () => ppm(0),
		slow,
		() => clock.now,
	);
	const first = one.lookNow();
	await turn();
	slow.waiting[0]?.(answer);
	await first;
	clock.now = restMs - 1;
	await one.look(false);
	expect(slow.waiting).toHaveLength(1);
	clock.now = restMs;
	await one.look(false);
	expect(slow.waiting).toHaveLength(2);
});

test("a screen is looked at every three seconds, and every second when there is reason to", async () => {
	const clock = { now: 0 };
	let taken = 0;
	const picture = async () => {
		taken++;
		throw new Error("QEMU takes no picture");
	};
	const one = new RecognisedScreens(picture, reader, () => clock.now);
	const looks: number[] = [];
	for (const [now, suspicious] of [
		[0, false],
		[2999, false],
		[3000, false],
		[3999, true],
		[4000, true],
	] as const) {
		clock.now = now;
		await one.look(suspicious);
		looks.push(taken);
	}
	expect(looks).toEqual([1, 1, 2, 2, 3]);
});

test("a screen on which nothing moves is looked at every five seconds, and every second when there is reason to", async () => {
	const { clock, screens: one } = screens(ppm(255), ppm(255), ppm(255), ppm(0), ppm(0));
	const looks: number[] = [];
	for (const [now, suspicious] of [
		[0, false],
		[3000, false],
		[7999, false],
		[8000, false],
		[8999, true],
		[9000, true],
		[12_000, false],
	] as const) {
		clock.now = now;
		await one.look(suspicious);
		looks.push(clock.taken);
	}
	// It has changed at the fourth.
	expect(looks).toEqual([1, 2, 2, 3, 3, 4, 5]);
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
