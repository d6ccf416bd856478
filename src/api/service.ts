import { z } from "zod";

/** A service that can be published by its name alone. */
export const serviceView = z.object({
	name: z.string(),
	title: z.string(),
	/** Port inside the server. */
	port: z.int(),
	protocol: z.enum(["http", "tcp"]),
	/** What the health check asks for: a page, an answer in the service's protocol, or only a connection. */
	health: z.enum(["page", "answer", "connection"]),
	/** Where that is written. */
	source: z.string(),
	/** What to know before it is let out; empty when there is nothing. */
	note: z.string(),
});
export type ServiceView = z.infer<typeof serviceView>;
