/** As Windows' members do by default. */
const oldMs = 30 * 24 * 3_600_000;
const lookEveryMs = 3_600_000;

interface Parts {
	/** When it was changed last, milliseconds since 1970, in whole seconds; null when that is not known. */
	changedAt: () => Promise<number | null>;
	change: () => Promise<void>;
	/** When the keytab was written last, milliseconds since 1970; null when there is none. */
	keytabAt: () => Promise<number | null>;
	writeKeytab: () => Promise<void>;
}

/**
 * Has the host's own password in the domain changed when it is old: winbindd, whose task it is, leaves it as it is for ever
 * where a keytab is kept (plan.ts). The keytab is written anew after each change, whoever made it: winbindd makes sure
 * of users' tickets with it, where it runs as somebody who may read it.
 */
export class OwnPassword {
	readonly #parts: Parts;
	readonly #today: () => number;
	readonly #now: () => number;
	#lookAt = Number.NEGATIVE_INFINITY;

	/**
	 * @param today milliseconds since 1970
	 * @param now milliseconds, by a clock that nobody sets
	 */
	constructor(
		parts: Parts,
		today: () => number = () => Date.now(),
		now: () => number = () => performance.now(),
	) {
		this.#parts = parts;
		this.#today = today;
		this.#now = now;
	}

	/** Looks when it is time. @throws what the parts do; it is tried again in an hour */
	async keep(): Promise<void> {
		if (this.#now() < this.#lookAt) return;
		this.#lookAt = this.#now() + lookEveryMs;
		const changedAt = await this.#parts.changedAt();
		if (changedAt === null) return;
		const isOld = this.#today() > changedAt + oldMs;
		if (isOld) await this.#parts.change();
		const keytabAt = await this.#parts.keytabAt();
		if (isOld || keytabAt === null || keytabAt < changedAt) await this.#parts.writeKeytab();
	}

	/** Another membership has another. */
	forget(): void {
		this.#lookAt = Number.NEGATIVE_INFINITY;
	}
}
