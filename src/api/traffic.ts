import { z } from "zod";

/** How many days are told of, today included. */
export const trafficDays = 30;

/** What has gone through. Bytes from the one who came and to them; times are milliseconds since the Unix epoch. */
const amounts = {
	/** Connections of a published service; 0 of all others, whose packets are counted. */
	connections: z.int(),
	/** HTTP requests of a published service; packets of all others. */
	count: z.int(),
	bytesIn: z.int(),
	bytesOut: z.int(),
	first: z.number(),
	last: z.number(),
};

/** One way in or out of a server, and how it was used. */
export const trafficWay = z.object({
	/**
	 * `published`: a service; `between`: what an `allow:` let pass between two servers, both ways together, as bytes in of the
	 * one that is reached and bytes out of the other; `outbound`: what a rule let out; `dropped`: what no rule let out.
	 */
	kind: z.enum(["published", "between", "outbound", "dropped"]),
	/** Such as `http on port 8080`, `till to dc1's ldap`, or `192.0.2.10 tcp 443`. */
	what: z.string(),
	...amounts,
	/** Whoever came, by address, the one who came last first; at most 100. Empty of ways out. */
	clients: z.array(z.object({ client: z.string(), ...amounts })),
	/** How many clients there were in all. */
	clientCount: z.int(),
	/** Connections, or packets, of each day (UTC) on which there were any. */
	days: z.array(z.object({ day: z.string(), used: z.int() })),
});

/** What went in and out of a server in the last 30 days; health checks do not count. */
export const trafficView = z.object({ server: z.string(), since: z.number(), ways: z.array(trafficWay) });

export type TrafficWay = z.infer<typeof trafficWay>;
export type TrafficView = z.infer<typeof trafficView>;
