import { Resolver } from "node:dns/promises";
import { accepts } from "../../../host/accepts.ts";
import { errorCode } from "../../../host/files.ts";

const lookEveryMs = 5000;
const takesWithinMs = 2000;
/** Twice: 1 s, then 2 s. */
const answers = { timeout: 1000, tries: 2 };
/** Of a name server that is not there; whatever else comes is an answer. */
const silence: readonly unknown[] = ["ETIMEOUT", "ECONNREFUSED", "ECANCELLED"];

/**
 * Which of the host's own name servers is asked for all names but the domain's: its first, as its programs do without us.
 * dnsmasq would ask all of them and go on with the quickest, so that a public one behind the office's own would be told the
 * office's names, and answer that there are none. Strictly in their order (`strict-order`) it leaves one that is silent only
 * when it is asked again, also with `fast-dns-retry`: a lookup took 8 s instead of 5. So another is asked while the first
 * answers nothing at all.
 */
export class OwnServers {
	readonly #ask: (address: string) => Promise<boolean>;
	readonly #now: () => number;
	#chosen: string | undefined;
	#asking = false;
	#askAt = Number.NEGATIVE_INFINITY;

	/**
	 * @param ask whether a name server answers
	 * @param now milliseconds, by a clock that nobody sets
	 */
	constructor(ask: (address: string) => Promise<boolean>, now: () => number = () => performance.now()) {
		this.#ask = ask;
		this.#now = now;
	}

	/**
	 * Asks them when it is time; waits for none.
	 * @param all in the order in which the host has them
	 * @returns the first that answers; the first of all while none does, or nothing is known yet
	 */
	choose(all: readonly [string, ...string[]]): string {
		const [first, ...others] = all;
		if (others.length === 0) return first;
		if (!this.#asking && this.#now() >= this.#askAt) void this.#look(all);
		return this.#chosen !== undefined && all.includes(this.#chosen) ? this.#chosen : first;
	}

	/** One after the other: who is not needed is not asked. */
	async #look(all: readonly string[]): Promise<void> {
		this.#asking = true;
		this.#askAt = this.#now() + lookEveryMs;
		let found: string | undefined;
		for (const one of all) {
			if (!(await this.#ask(one))) continue;
			found = one;
			break;
		}
		this.#chosen = found;
		this.#asking = false;
	}
}

/**
 * Whether anything at all answers there. It need not know any name: one that has lost its own way to others still knows the
 * office's. So it is enough that it takes a connection, which not every router does.
 */
export async function isNameServer(address: string, signal: AbortSignal, port = 53): Promise<boolean> {
	if (await accepts({ host: address, port }, takesWithinMs, signal)) return true;
	return !signal.aborted && (await says(address, signal, port));
}

async function says(address: string, signal: AbortSignal, port: number): Promise<boolean> {
	const resolver = new Resolver(answers);
	resolver.setServers([`${address.includes(":") ? `[${address}]` : address}:${port}`]);
	const cancel = () => resolver.cancel();
	signal.addEventListener("abort", cancel);
	try {
		await resolver.resolveNs(".");
		return true;
	} catch (error) {
		return !silence.includes(errorCode(error));
	} finally {
		signal.removeEventListener("abort", cancel);
	}
}
