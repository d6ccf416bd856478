import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { seenView } from "../../src/api/screen.ts";
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
	const seen = recognise(frame(name), before === undefined ? undefined : frame(before));

	test("is recognised", () => {
		const { text, ...rest } = { text: undefined, ...seen };
		if (truth.kind === "linux-panic") expect({ kind: rest.kind }).toEqual({ kind: truth.kind });
		else expect(rest).toEqual(truth);
		if (says !== undefined) expect(text).toContain(says);
		expect(seenView.parse(seen)).toEqual(seen);
	});
});
