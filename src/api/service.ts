import { z } from "zod";

/** A service that can be published by its name alone. */
export const serviceView = z.object({
	name: z.string(),
	title: z.string(),
	/** Port inside the server, the one that is asked whether the service is well; null: everything. */
	port: z.int().nullable(),
	protocol: z.enum(["http", "tcp", "udp"]),
	/** All its ports, as `tcp 389` or `tcp 49152-65535`; `everything` for all protocols and ports. */
	ports: z.array(z.string()),
	/** `address`: only at an address of the server's own. */
	through: z.enum(["address", "either"]),
	/** What the health check asks for: a page, an answer in the service's protocol, only a connection, or nothing at all. */
	health: z.enum(["page", "answer", "connection", "none"]),
	/** Where that is written. */
	source: z.string(),
	/** What to know before it is let out; empty when there is nothing. */
	note: z.string(),
});
export type ServiceView = z.infer<typeof serviceView>;
