import { z } from "zod";

export const causes = [
	"panic",
	"process-ended",
	"qmp-lost",
	"unexpected-shutdown",
	"reset-loop",
	"hang",
	"frozen",
	"boot-timeout",
	"start-failed",
	"internal-error",
] as const;
/** What went wrong with a session. */
export type Cause = (typeof causes)[number];

/** What users felt at the front door, for requests that were under way between the failure and the recovery. */
export const feltView = z.object({
	/** Requests (HTTP) or connections (TCP) that touched the outage. */
	requests: z.int(),
	/** Those that waited and were then served. */
	held: z.int(),
	/** Those that got an error, or were cut off. */
	failed: z.int(),
	/** The longest that one took, in milliseconds. */
	longestPauseMs: z.number(),
});
export type Felt = z.infer<typeof feltView>;

export const timelineEntry = z.object({
	/** Milliseconds since the incident began. */
	atMs: z.number(),
	what: z.string(),
});

export const incidentView = z.object({
	/** `dc1-7`: the server and the number of the session that failed. */
	id: z.string(),
	server: z.string(),
	session: z.int(),
	cause: z.enum(causes),
	/** One sentence for people. */
	summary: z.string(),
	/** When it began: its first sign, or, when a guest fell silent, its last sign of life. Milliseconds since the Unix epoch. */
	at: z.number(),
	/** When it was known to be a failure. */
	noticedAt: z.number(),
	/** The drill that made it, when it was one, and when the fault was made. */
	drill: z.object({ fault: z.string(), at: z.number() }).nullable(),
	outcome: z.enum(["recovering", "recovered", "failed-again", "gave-up", "stopped"]),
	nextSession: z.int().nullable(),
	/** From the fault (drills) or the beginning (else) until the next session was ready; null while it is not. */
	outageMs: z.number().nullable(),
	timeline: z.array(timelineEntry),
	/** Names of the evidence files that are kept with it. */
	evidence: z.array(z.string()),
	felt: feltView.nullable(),
	/** Details that the guest or QEMU gave: stop code, exit code, register values. Hostile text, shown as it came. */
	details: z.record(z.string(), z.string()),
});
export type Incident = z.infer<typeof incidentView>;
export type TimelineEntry = z.infer<typeof timelineEntry>;
