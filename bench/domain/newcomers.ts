import { setTimeout as delay } from "node:timers/promises";
import type { DomainClient } from "./client.ts";

/**
 * Adds users over LDAP, one after the other, each by another name; which of them the directory acknowledged is kept. Of one
 * that failed nobody knows whether it is there: it is not asked for again.
 */
export class Newcomers {
	readonly acknowledged: string[] = [];
	private readonly stopping = new AbortController();
	private readonly running: Promise<void>;

	/**
	 * @param hosts the controllers, asked in this order until one can be reached
	 * @param pauseMs from one to the next
	 */
	constructor(client: DomainClient, hosts: readonly string[], password: string, pauseMs: number) {
		this.running = this.run(client, hosts, password, pauseMs);
	}

	async stop(): Promise<void> {
		this.stopping.abort();
		await this.running;
	}

	private async run(
		client: DomainClient,
		hosts: readonly string[],
		password: string,
		pauseMs: number,
	): Promise<void> {
		const { signal } = this.stopping;
		for (let number = 1; !signal.aborted; number++) {
			const name = `new${number}`;
			await client.addUser(hosts, name, password).then(
				() => this.acknowledged.push(name),
				() => {},
			);
			await delay(pauseMs, undefined, { signal }).catch(() => {});
		}
	}
}
