import { describe, expect, it } from "vitest";
import { samplePlan } from "../client/samples.ts";
import { destroyQuestion, isEmpty, planLines } from "./plan-view.ts";
import { plain } from "./terminal.ts";

describe("plan", () => {
	it("says what changes and what is destroyed", () => {
		expect(planLines(samplePlan).map(plain).join("\n")).toMatchInlineSnapshot(`
			"Site office: 1 to create, 1 to change, 1 to delete

			  + segment dmz 10.78.0.0/24
			  ~ intranet  changed; takes effect with its next session
			      memory: 512MiB → 1GiB
			  + mail      created
			      template: debian-web
			  - old       deleted
			      DESTROYED FOR EVER: system disk
			      DESTROYED FOR EVER: data disk files
			  = 1 server unchanged"
		`);
	});

	it("shows what is destroyed in bold and red", () => {
		const words = planLines(samplePlan).flat();
		const text = "DESTROYED FOR EVER: data disk files";
		expect(words).toContainEqual({ text, styles: ["red", "bold"] });
	});

	it("says what stays elsewhere of a server that is deleted", () => {
		const [, , , old] = samplePlan.changes;
		const changes = old ? [{ ...old, left: "old stays a controller" }] : [];
		expect(planLines({ ...samplePlan, changes }).map(plain)).toContain("      old stays a controller");
	});

	it("asks about exactly that", () => {
		expect(destroyQuestion(samplePlan)).toBe("Destroy system disk of old, data disk files of old for ever?");
	});

	it("is empty when all stays the same", () => {
		expect(isEmpty(samplePlan)).toBe(false);
		const same = { ...samplePlan, segments: [], changes: samplePlan.changes.slice(0, 1), destructive: false };
		expect(isEmpty(same)).toBe(true);
		expect(isEmpty({ ...same, segments: ["- lab 10.1.0.0/24"] })).toBe(false);
		expect(isEmpty({ ...same, changes: [] })).toBe(false);
	});
});
