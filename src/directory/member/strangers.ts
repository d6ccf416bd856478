import { type ControllerHealth, isWhole } from "./controllers.ts";

/** How long what a controller said of itself counts; and when it is asked again that did not say it. */
const countsForMs = 300_000;
const againMs = 10_000;
/** One that is back has other things to do first. */
const restMs = 5000;

interface Known {
	/** What it serves; undefined while that is not known. */
	realm: string | undefined;
	/** When it is asked again, by a clock that nobody sets. */
	askAt: number;
}

/**
 * Which of the addresses that were named as a domain's controllers are another's: one that was silent when the host joined
 * may have been mistyped, or be another machine by now. Until one has said what it serves, it is taken for what it was.
 */
export class Strangers {
	readonly #known = new Map<string, Known>();
	readonly #asking = new Set<string>();
	readonly #ask: (address: string) => Promise<string>;
	readonly #now: () => number;

	/** @param ask a controller for its realm */
	constructor(ask: (address: string) => Promise<string>, now: () => number = () => performance.now()) {
		this.#ask = ask;
		this.#now = now;
	}

	/**
	 * Asks those that answer, when it is time; waits for none.
	 * @returns the same, of which those of another domain answer nothing
	 */
	without(found: readonly ControllerHealth[], realm: string): ControllerHealth[] {
		for (const health of found) this.#look(health);
		return found.map((health) =>
			this.#isOf(health.address, realm) ? health : { address: health.address, answers: [] },
		);
	}

	/** @returns those that are not known to be another domain's */
	but<T extends { address: string }>(found: readonly T[], realm: string): T[] {
		return found.filter(({ address }) => this.#isOf(address, realm));
	}

	/** @returns what people are told of those of another domain; null when there are none */
	trouble(addresses: readonly string[], realm: string): string | null {
		const strangers = addresses.filter((address) => !this.#isOf(address, realm));
		if (strangers.length === 0) return null;
		const words = strangers.map((address) => `${address} serves ${this.#known.get(address)?.realm}`);
		return `${words.join(", and ")}, not ${realm}, and counts for nothing; leave, and join again without it`;
	}

	forget(): void {
		this.#known.clear();
	}

	#isOf(address: string, realm: string): boolean {
		return (this.#known.get(address)?.realm ?? realm) === realm;
	}

	#look(health: ControllerHealth): void {
		const { address } = health;
		const known = this.#known.get(address) ?? { realm: undefined, askAt: Number.NEGATIVE_INFINITY };
		this.#known.set(address, known);
		if (!isWhole(health)) {
			if (known.realm !== undefined) known.askAt = this.#now() + restMs;
			return;
		}
		if (this.#now() < known.askAt || this.#asking.has(address)) return;
		this.#asking.add(address);
		void this.#askOne(address, known).finally(() => this.#asking.delete(address));
	}

	async #askOne(address: string, known: Known): Promise<void> {
		// One that does not say it is what it was.
		const realm = await this.#ask(address).catch(() => undefined);
		known.realm = realm ?? known.realm;
		known.askAt = this.#now() + (realm === undefined ? againMs : countsForMs);
	}
}
