import { expect, test } from "vitest";
import { type Crash, inText, outagesOf } from "./outages.ts";

const crash = (outageMs: number | null, by: Crash["by"] = "nmi"): Pick<Crash, "by" | "incident"> => ({
	by,
	incident: { id: "windows-1", cause: "panic", summary: "", details: {}, outageMs },
});

test("crashes whose outage nobody knows are counted, and are in no figure", () => {
	const made = [
		crash(90_000),
		crash(null),
		crash(30_000),
		{ ...crash(0), incident: null },
		crash(1, "restart"),
	];
	const outages = outagesOf(made);
	expect(outages).toEqual({ known: 2, missing: 2, medianMs: 60_000, worstMs: 90_000 });
	expect(inText(outages)).toBe("outage of 2 crashes: median 60 s, worst 90 s; of 2 it is not known");
});

test("where none is known there is no figure", () => {
	expect(outagesOf([crash(null)])).toEqual({ known: 0, missing: 1, medianMs: null, worstMs: null });
	expect(inText(outagesOf([]))).toBe("no outage is known");
});
