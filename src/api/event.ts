import { z } from "zod";

export const eventView = z.object({
	/** Counts up without end; events after it are asked for by this number. */
	id: z.int(),
	/** Milliseconds since the Unix epoch. */
	at: z.number(),
	server: z.string().nullable(),
	session: z.int().nullable(),
	kind: z.enum([
		"daemon",
		"site",
		"state",
		"session",
		"signal",
		"incident",
		"front-door",
		"drill",
		"maintenance",
	]),
	text: z.string(),
});
/** Something that happened. */
export type Event = z.infer<typeof eventView>;
export type NewEvent = Omit<Event, "id">;
