import type { DoorPlan } from "../plan.ts";

/** A front door with one service of each kind, for tests. */
export const doorPlan: DoorPlan = {
	server: "intranet",
	namespace: "bh-office",
	address: "10.77.0.20",
	from: "10.77.0.1",
	uid: 300_020,
	groups: [],
	folder: "/var/lib/bulkhead/servers/intranet/door",
	services: [
		{
			service: "http",
			protocol: "http",
			port: 80,
			to: "lan",
			listen: 8080,
			holdMs: 60_000,
			health: { path: "/healthz" },
			rehearse: [],
		},
		{
			service: "sql",
			protocol: "tcp",
			port: 1433,
			to: "host",
			listen: 14330,
			holdMs: 30_000,
			health: null,
			rehearse: [],
		},
	],
};
