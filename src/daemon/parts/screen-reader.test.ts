import { afterEach, expect, test } from "vitest";
import { ReadingTooLong, ScreenReader } from "./screen-reader.ts";

const readers: ScreenReader[] = [];
afterEach(async () => {
	for (const reader of readers.splice(0)) await reader.close();
});

function readerOf(...how: ConstructorParameters<typeof ScreenReader>): ScreenReader {
	const reader = new ScreenReader(...how);
	readers.push(reader);
	return reader;
}

/** A picture of two by two pixels. */
function ppm(shade: number): Uint8Array<ArrayBuffer> {
	return new Uint8Array([...Buffer.from("P6\n2 2\n255\n"), ...Array(12).fill(shade)]);
}

const patient = () => AbortSignal.timeout(60_000);
const endless = new URL("./testing/endless-worker.ts", import.meta.url);

test("a picture is read, and the one that it is compared with stays as long as nothing changes", async () => {
	const reader = readerOf(60_000);
	const first = await reader.read(ppm(0), undefined, patient());
	expect(first.looked.seen).toEqual({ kind: "black" });
	expect([...first.looked.picture]).toEqual([...ppm(0)]);
	const second = await reader.read(ppm(255), first.looked, patient());
	expect(second.looked.seen).toEqual({ kind: "other" });
	expect([...second.looked.picture]).toEqual([...ppm(255)]);
	const seen = second.looked.seen;
	const third = await reader.read(ppm(255), second.looked, patient());
	expect(third.looked.seen).toEqual(seen);
});

test("what is no picture is an error, and the next one is read", async () => {
	const reader = readerOf(60_000);
	await expect(reader.read(new Uint8Array(5), undefined, patient())).rejects.toThrow(
		"does not begin as a PPM",
	);
	expect((await reader.read(ppm(0), undefined, patient())).looked.seen).toEqual({ kind: "black" });
});

test("a picture that takes too long ends with its worker, and those that wait are read by the next", async () => {
	const reader = readerOf(1000, endless);
	const [bad, good] = await Promise.allSettled([
		reader.read(new Uint8Array(0), undefined, patient()),
		reader.read(ppm(0), undefined, patient()),
	]);
	expect(bad.status === "rejected" && bad.reason).toBeInstanceOf(ReadingTooLong);
	expect(good.status === "fulfilled" && good.value.looked.seen).toEqual({ kind: "black" });
});

test("whoever does not wait any longer is not read", async () => {
	const reader = readerOf(500, endless);
	const stop = new AbortController();
	const first = reader.read(new Uint8Array(0), undefined, patient()).catch(() => "late");
	const second = reader.read(new Uint8Array(0), undefined, stop.signal);
	stop.abort(new Error("the session has ended"));
	await expect(second).rejects.toThrow("the session has ended");
	expect(await first).toBe("late");
});
