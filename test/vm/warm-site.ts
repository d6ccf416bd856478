import { expect, vi } from "vitest";
import type { Fault, ServerView } from "../../src/api/server.ts";
import type { ServerDefinition, Site } from "../../src/api/site.ts";
import { clientFor } from "../../src/network/testing/client.ts";
import { freePort, type Instance, patience, tiny } from "./harness.ts";

export const warm = { recovery: { mode: "warm", standby: 1 } } as const;
export const at = {
	web: { segment: "lab", address: "10.91.0.10", address6: "fd00:91::10" },
	db: { segment: "lab", address: "10.91.0.11", address6: "fd00:91::11" },
};

/** A seal and what stands by are made in time that no server wants, and beside this file another one runs its guests. */
const preparedWithinMs = 2 * patience.state;
vi.setConfig({ testTimeout: 2 * patience.test });
const standsBy = (view: ServerView) => view.warm?.seal === "ready" && view.warm.standbys === 1;

/** Two real servers that recover warm and may ask each other for pages: web without data, db with a data disk. */
export class WarmSite {
	private readonly bulkhead: Instance;
	/** Where each of them is published. */
	readonly ports = { web: 0, db: 0 };

	constructor(bulkhead: Instance) {
		this.bulkhead = bulkhead;
	}

	async start(): Promise<void> {
		for (const server of ["web", "db"] as const) this.ports[server] = await freePort();
		await this.bulkhead.apply(this.definition());
		for (const server of ["web", "db"]) await this.ready(server);
	}

	definition(web: Partial<ServerDefinition> = {}, more: Record<string, ServerDefinition> = {}): Site {
		const allow = (from: string) => ({ allow: [{ from, service: "http" }] });
		const data = [{ name: "data", size: "16MiB" as const }];
		return {
			name: "warm",
			segments: { lab: { subnet: "10.91.0.0/24", subnet6: "fd00:91::/64" } },
			servers: {
				web: { ...tiny(at.web.address, this.ports.web, warm), network: at.web, ...allow("db"), ...web },
				db: { ...tiny(at.db.address, this.ports.db, { ...warm, data }), network: at.db, ...allow("web") },
				...more,
			},
		};
	}

	/** Waits until a server runs, with its next session standing by. */
	async ready(server: string): Promise<ServerView> {
		return await this.bulkhead.until(server, "running", standsBy, preparedWithinMs);
	}

	/** Waits until a later session runs, with the next one standing by. */
	async next(server: string, before: number): Promise<ServerView> {
		return await this.bulkhead.until(
			server,
			"running",
			(view) => (view.session?.number ?? 0) > before && standsBy(view),
			preparedWithinMs,
		);
	}

	async fail(server: string, fault: Fault): Promise<{ before: number; after: ServerView }> {
		const { session } = await this.ready(server);
		const before = session?.number ?? 0;
		await this.bulkhead.client.call("drill", { server }, { fault });
		return { before, after: await this.next(server, before) };
	}

	/** @returns what a guest is told when it asks an address for its page */
	async pageFor(server: string, address: string): Promise<string> {
		const said = await this.bulkhead.type(
			server,
			`printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 3 ${address} 80`,
		);
		if (said === undefined) throw new Error(`${server} did not finish asking ${address}`);
		return said;
	}
}

/** Posts to a front door, and expects success. @returns the answer's body */
export async function post(port: number, path: string): Promise<string> {
	const { status, body } = await clientFor(port).request("POST", path);
	expect(status, body).toBe(200);
	return body;
}
