import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { z } from "zod";
import { seenView } from "../../src/api/screen.ts";
import { faults, serverStates } from "../../src/api/server.ts";
import { parseDuration } from "../../src/api/units.ts";
import type { BootPlan } from "./guest.ts";

/** Milliseconds from `0s`, `2m`, and also `1h2m3s`. */
const duration = z.string().transform((text, context) => {
	const parts = [...text.matchAll(/[\d.]+(?:ms|s|m|h|d)/g)].map(([part]) => parseDuration(part));
	const sum = parts.reduce<number>((all, part) => all + (part ?? Number.NaN), 0);
	if (parts.length === 0 || Number.isNaN(sum)) context.addIssue(`"${text}" is no duration`);
	return sum;
});

const boots = z.string().transform((text, context): BootPlan => {
	if (text === "never ready") return { kind: "never" };
	const match = /^(ready|panics|resets) after (\S+)$/.exec(text);
	const afterMs = parseDuration(match?.[2] ?? "");
	if (afterMs === undefined) context.addIssue(`"${text}" is no way to boot`);
	return { kind: (match?.[1] ?? "ready") as "ready", afterMs: afterMs ?? 0 };
});

const at = { at: duration };
const step = z.union([
	z.strictObject({
		...at,
		command: z.enum([
			"start",
			/** As the daemon starts it by itself. */
			"start in turn",
			"maintenance on",
			"maintenance off",
			"seal",
			"renew",
			"begin changes",
			"commit changes",
			"abandon changes",
		]),
	}),
	z.strictObject({ ...at, command: z.enum(["stop", "restart"]), deadline: duration.prefault("60s") }),
	z.strictObject({ ...at, command: z.literal(faults.map((fault) => `drill ${fault}` as const)) }),
	z.strictObject({
		...at,
		/** `service NAME goes silent` and `service NAME answers` besides these. */
		guest: z.union([
			z.enum([
				"becomes ready",
				"panics",
				"resets",
				"shuts down",
				"hangs",
				"hangs with interrupts on",
				"is killed",
				"loses its monitor",
				"loses its TPM",
				"is frozen",
				"finds the disk full",
				"does not end",
				"waits for the host's disk",
				"gets its disk back",
				"is paused",
				"is suspended",
				"goes on",
				"has a mute monitor",
				"ends at last",
				"ignores the power button",
			]),
			z.templateLiteral(["service ", z.string(), " goes silent"]),
			z.templateLiteral(["service ", z.string(), " answers"]),
		]),
	}),
	/** The guest crashes, and QEMU says so as in events/NAME.json. */
	z.strictObject({ ...at, event: z.string().regex(/^[a-z0-9-]+$/) }),
	/** What stands on the guest's screen from here on. */
	z.strictObject({ ...at, screen: seenView }),
	/** One that this server comes after: `dc0 is recovering`, `dc0 is in maintenance`. */
	z.strictObject({
		...at,
		other: z.templateLiteral([z.string(), " is ", z.enum([...serverStates, "unknown", "in maintenance"])]),
	}),
	/** What is said of its session then, beside the reason of its state. */
	z.strictObject({ ...at, ask: z.literal("how it is") }),
	z.strictObject({ ...at, boots }),
	z.strictObject({ ...at, wakes: boots }),
	z.strictObject({
		...at,
		host: z.union([
			z.enum([
				"has time again",
				"disk is full",
				"disk has room",
				"starts sessions again",
				"restarts",
				"cannot keep evidence",
				"cannot write",
				"cannot open the front door",
				"guests withstand drills",
				"has a mute front door",
				"has its front door again",
				"is asked for something",
				"gets a visitor",
				"hears no visitors any more",
				"has long requests",
				"has short requests",
				"dumps slowly",
				"has no room for dumps",
				"cannot seal",
				"cannot load from the seal",
				"cannot let a standby run",
				"cannot end a standby that it gives disks",
				"has a damaged seal",
				"cannot read its seals",
				"reads its seals slowly",
				"has its seals in order",
				"loses the standby",
				"gives the server other hardware",
				"publishes something else",
				"lets the server recover cold",
				"lets the server recover warm",
				"cannot remove its seals",
			]),
			z.templateLiteral(["starves the guest by ", z.number(), "%"]),
			z.templateLiteral(["sets its clock back by ", z.string()]),
			z.templateLiteral(["sets its clock forward by ", z.string()]),
			z.templateLiteral(["cannot start sessions: ", z.string()]),
		]),
	}),
	z.strictObject({
		...at,
		daemon: z.union([
			z.enum(["dies", "leaves", "starts"]),
			z.templateLiteral(["dies before ", z.string()]),
			z.templateLiteral(["dies after ", z.string()]),
		]),
	}),
]);
export type Step = z.infer<typeof step>;

const scriptSchema = z.strictObject({
	policy: z
		.strictObject({
			agent: z.boolean().default(true),
			services: z.array(z.string()).default(["http"]),
			/** Whether its screen is looked at. */
			screens: z.boolean().default(false),
			/** Its services are asked so often, and have so long to answer. */
			checks: z.strictObject({ every: duration, within: duration }).optional(),
			onCrash: z.enum(["let-guest-dump", "dump-then-new-session"]).optional(),
			boot: duration.prefault("5m"),
			silence: duration.prefault("20s"),
			/** Recovers warm, with so many sessions standing by. */
			standby: z.int().optional(),
			sleep: duration.optional(),
			renew: duration.optional(),
			budget: z.strictObject({ attempts: z.int().default(5), within: duration.prefault("10m") }).prefault({}),
		})
		.prefault({}),
	boots: boots.prefault("ready after 8s"),
	steps: z.array(step),
	/** Says in the README why: the supervisor itself fails at something, tells it, and leaves the server down. */
	supervisionFails: z.boolean().default(false),
	/** Steps that come again and again, each time later by `every`. */
	repeat: z.strictObject({ every: duration, times: z.int(), steps: z.array(step) }).optional(),
	end: duration,
});
export type Script = z.output<typeof scriptSchema>;

export function readScript(file: string): Script {
	const script = scriptSchema.parse(parse(readFileSync(file, "utf8")));
	const { repeat } = script;
	const again = Array.from({ length: repeat?.times ?? 0 }, (_, i) =>
		(repeat?.steps ?? []).map((step) => ({ ...step, at: step.at + i * (repeat?.every ?? 0) })),
	);
	const steps = [...script.steps, ...again.flat()].sort((a, b) => a.at - b.at);
	return { ...script, steps };
}
