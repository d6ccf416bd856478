import type { ServerView } from "../../src/api/server.ts";
import type { ServerDefinition, Site } from "../../src/api/site.ts";
import type { Lab } from "../lab.ts";
import { fromEpoch } from "../open-loop/clock.ts";
import type { Target, Way } from "./way.ts";

const runningWithinMs = 300_000;

export type Mode = "warm" | "cold";

/** A server made from the template tiny that is started by hand and recovers in one way. */
export function tinyServer(mode: Mode, address: string, listen: number): ServerDefinition {
	const budget = { attempts: 100, within: "1h" };
	const recovery = mode === "warm" ? { mode, standby: 1, budget } : { mode, budget };
	return {
		template: "tiny",
		start: "manual",
		network: { segment: "bench", address },
		publish: [{ service: "http", to: "host", listen }],
		recovery,
	};
}

export function benchSite(servers: Record<string, ServerDefinition>): Site {
	return { name: "bench", segments: { bench: { subnet: "10.78.0.0/24" } }, servers };
}

/** A server as Bulkhead runs it, reached through its front door. */
export class BulkheadWay implements Way {
	readonly name: Mode;
	readonly target: Target;
	private readonly lab: Lab;

	/** The server is called as its way of recovery is. */
	constructor(lab: Lab, name: Mode, port: number) {
		this.lab = lab;
		this.name = name;
		this.target = { host: "127.0.0.1", port };
	}

	async begin(signal: AbortSignal): Promise<void> {
		await this.lab.client.call("start", { server: this.name }, null);
		await this.ready(signal);
	}

	async panic(): Promise<number> {
		const { at } = await this.lab.client.call("drill", { server: this.name }, { fault: "panic" });
		return fromEpoch(at);
	}

	async ready(signal: AbortSignal): Promise<void> {
		await this.lab.until(this.name, isPrepared, runningWithinMs, signal);
	}

	async end(): Promise<void> {
		await this.lab.client.call("stop", { server: this.name }, { deadlineMs: 0 });
		await this.lab.until(this.name, ({ state }) => state === "stopped", 60_000);
	}
}

/** Runs, and a standby waits when it is to have one. */
export function isPrepared({ state, warm }: ServerView): boolean {
	return state === "running" && (warm === null || warm.standbys > 0);
}
