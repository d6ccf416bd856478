import { z } from "zod";

/** What `apply` would do to one server. */
export const changeView = z.object({
	server: z.string(),
	kind: z.enum(["create", "change", "delete", "same"]),
	/** One line for each difference, such as `memory: 512MiB → 1GiB`. */
	differences: z.array(z.string()),
	/** What is lost for ever: disks that go, and what else goes with a server. Empty for most changes. */
	destroys: z.array(z.string()),
	/** What stays elsewhere of a server that is deleted, and what to do about it; null for most changes. */
	left: z.string().nullable(),
	/** True when a running session has to be restarted for the change to take effect. */
	restartNeeded: z.boolean(),
});
export const planView = z.object({
	site: z.string(),
	/** The plan's fingerprint: `apply` does this plan or nothing. */
	fingerprint: z.string(),
	/** What becomes of the segments: `+ dmz 10.1.0.0/24`, `- lab 10.2.0.0/24`, `~ office 10.3.0.0/24 → 10.3.0.0/23`. */
	segments: z.array(z.string()),
	changes: z.array(changeView),
	/** True when something is destroyed, and a person has to say yes. */
	destructive: z.boolean(),
});
export type Plan = z.infer<typeof planView>;
export type Change = z.infer<typeof changeView>;

/** What is lost for ever with a server that is deleted, beside its disks. */
export function lostWithServer(mode: "cold" | "warm"): string[] {
	const seal = mode === "warm" ? ["seal"] : [];
	return [...seal, "incidents with evidence and dumps", "history of traffic"];
}

/** A line of the stream that a long task answers with. */
export const progressView = z.discriminatedUnion("type", [
	z.object({
		type: z.literal("step"),
		/** What is worked on: `template debian-web`, `server dc1`. */
		subject: z.string(),
		text: z.string(),
		/** From 0 to 1 within the subject, or null where it cannot be told. */
		fraction: z.number().nullable(),
	}),
	z.object({ type: z.literal("done"), subject: z.string() }),
	z.object({ type: z.literal("finished"), text: z.string() }),
	z.object({ type: z.literal("failed"), error: z.object({ code: z.string(), message: z.string() }) }),
]);
export type Progress = z.infer<typeof progressView>;

export const checkView = z.object({
	name: z.string(),
	level: z.enum(["ok", "note", "bad"]),
	/** What was found. */
	found: z.string(),
	/** What to do about it; empty when nothing has to be done. */
	mend: z.string(),
});
/** One line of `doctor`. */
export type Check = z.infer<typeof checkView>;
