import { describe, expect, it } from "vitest";
import { sampleIncident } from "../client/samples.ts";
import { incidentLines } from "./incident-view.ts";
import { plain } from "./terminal.ts";
import { timeline } from "./timeline.ts";

const draw = (incident = sampleIncident(), unicode = true) =>
	timeline(incident, { width: 80, unicode }).map(plain).join("\n");

describe("timeline", () => {
	it("shows each step, how long it took, and a picture of that", () => {
		expect(draw()).toMatchInlineSnapshot(`
			"  MS    TOOK                          WHAT
			 -31   31 ms  ▏                       the drill makes its fault: panic
			   0    2 ms  ▏                       the guest's panic device reported a panic
			   2  1.48 s  ███                     connections of users are held
			1480   50 ms     ▏                    evidence saved: console, screen, memory
			1530  172 ms     █                    session 7 ended
			1702  8.14 s      ██████████████████  session 8 began to boot
			9840                               █  session 8 answered as ready; connections released"
		`);
	});

	it("does without the drill and without special characters", () => {
		expect(draw(sampleIncident({ drill: null, outageMs: null }), false)).toMatchInlineSnapshot(`
			"  MS    TOOK                          WHAT
			   0    2 ms  |                       the guest's panic device reported a panic
			   2  1.48 s  ###                     connections of users are held
			1480   50 ms     |                    evidence saved: console, screen, memory
			1530  172 ms     #                    session 7 ended
			1702  8.14 s      ##################  session 8 began to boot
			9840                               #  session 8 answered as ready; connections released"
		`);
	});

	it("adds no fault where the timeline has it, and survives an empty one", () => {
		const fault = { atMs: -31, what: "fault" };
		const [, first] = draw(sampleIncident({ timeline: [fault, { atMs: 0, what: "seen" }] })).split("\n");
		expect(first).toMatch(/-31 +31 ms .*fault$/);
		expect(draw(sampleIncident({ timeline: [], drill: null }))).toMatch(/^ *MS +TOOK +WHAT$/);
	});
});

describe("incident", () => {
	it("tells its story, without the guest's control characters", () => {
		const incident = sampleIncident({ details: { "stop\u001b[2Jcode": "\u001b]0;x\u00070x7b\u202e" } });
		const text = incidentLines(incident, { width: 80, unicode: true }).map(plain).join("\n");
		expect(text).toContain(
			"Users felt  128 requests met it: 126 waited and were served, 2 failed; the longest took 9.90 s",
		);
		expect(text).toContain("Outcome     recovered in session 8");
		expect(text).toContain("  memory.kdump");
	});
});
