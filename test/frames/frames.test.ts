import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { seenView } from "../../src/api/screen.ts";
import type { Frame } from "../../src/screen/frame.ts";
import { lookAgain } from "../../src/screen/look.ts";
import { recognise } from "../../src/screen/recognise.ts";
import { readPng } from "./png.ts";
import type { Truth } from "./truth.ts";

/** Every recorded frame is recognised as what it is: no false alarm, no miss, nothing read wrongly. */
const here = import.meta.dirname;
const truths = parse(readFileSync(join(here, "frames.yaml"), "utf8")) as Record<string, Truth>;
const frame = (name: string) => readPng(readFileSync(join(here, "recorded", `${name}.png`)));

test("each of at least sixty frames has its truth, and each truth its frame", () => {
	const recorded = readdirSync(join(here, "recorded")).map((file) => file.replace(/\.png$/, ""));
	expect(recorded.toSorted()).toEqual(Object.keys(truths).toSorted());
	expect(recorded.length).toBeGreaterThanOrEqual(60);
});

describe.each(Object.entries(truths))("%s", (name, { before, says, ...truth }) => {
	test("is recognised", () => {
		const seen = recognise(frame(name), before === undefined ? undefined : frame(before));
		const { text, ...rest } = { text: undefined, ...seen };
		if (truth.kind === "linux-panic") expect({ kind: rest.kind }).toEqual({ kind: truth.kind });
		else expect(rest).toEqual(truth);
		if (says !== undefined) expect(text).toContain(says);
		expect(seenView.parse(seen)).toEqual(seen);
	});
});

/** Paints a part of a frame with the colour of its upper left corner; all sizes are parts of the screen. */
function without({ width, height, rgb }: Frame, top: number, bottom: number): Frame {
	const painted = Uint8Array.from(rgb);
	const ground = rgb.subarray(0, 3);
	for (let i = Math.floor(top * height) * width; i < Math.floor(bottom * height) * width; i++) {
		painted.set(ground, i * 3);
	}
	return { width, height, rgb: painted };
}

const named = (kind: string, begins = "") =>
	Object.keys(truths).filter((name) => truths[name]?.kind === kind && name.startsWith(begins));

test.each(named("updating"))("%s: without its ring, as it is for moments, it is no blue screen", (name) => {
	expect(recognise(without(frame(name), 0.3, 0.46)).kind).not.toBe("blue-screen");
});

test.each(named("blue-screen", "10-10"))("%s: a face without lines below it is no blue screen", (name) => {
	expect(recognise(without(frame(name), 0.285, 1)).kind).not.toBe("blue-screen");
});

test("a screen is looked at again where it has to be, and a clock is passed over", () => {
	const desktop = frame("desktop-busy");
	const clock = { ...desktop, rgb: Uint8Array.from(desktop.rgb).fill(0, 3000, 4500) };
	const seen = lookAgain(desktop, undefined);
	expect(seen).toEqual({ kind: "other" });
	expect(lookAgain(clock, { frame: desktop, seen })).toBe(seen);
	expect(lookAgain(frame("10-1024-module"), { frame: desktop, seen })).toMatchObject({ kind: "blue-screen" });
	const login = { frame: frame("linux-panic-text-boot"), seen: { kind: "text" } } as const;
	expect(lookAgain(login.frame, login)).toBe(login.seen);
	expect(lookAgain(frame("linux-panic-text"), login)).toMatchObject({ kind: "linux-panic" });
});

test("a dump that stops is no dump that goes on", () => {
	const first = frame("10-1920");
	const second = frame("10-1920-later");
	const seen = lookAgain(second, { frame: first, seen: lookAgain(first, undefined) });
	expect(seen).toMatchObject({ dump: "writing" });
	expect(lookAgain(second, { frame: second, seen })).toMatchObject({ kind: "blue-screen", dump: "unknown" });
});

test("a blue screen after another screen is not taken for a dump that goes on", () => {
	const desktop = { ...frame("desktop-blue") };
	expect(recognise(frame("10-1920"), desktop)).toMatchObject({ kind: "blue-screen", dump: "unknown" });
	expect(recognise(frame("10-1024-module"), desktop)).toMatchObject({ kind: "blue-screen", dump: "unknown" });
});
