/** Work that is done one after the other, in the order in which it was asked for. */
export class Turns {
	#last: Promise<unknown> = Promise.resolve();
	#open = 0;

	/** Whether something is being done, or waits for it. */
	get busy(): boolean {
		return this.#open > 0;
	}

	async take<T>(work: () => Promise<T>): Promise<T> {
		this.#open++;
		const done = this.#last.then(work).finally(() => {
			this.#open--;
		});
		// Whoever asked for it hears of its failure; the next one does not.
		this.#last = done.catch(() => {});
		return await done;
	}

	/**
	 * Does it only when its turn comes soon: after that whoever asked for it may have given up.
	 * @param refusal thrown when its turn does not come within `withinMs` milliseconds; then it is not done
	 */
	async takeSoon<T>(withinMs: number, refusal: Error, work: () => Promise<T>): Promise<T> {
		const { promise: tooLate, reject } = Promise.withResolvers<never>();
		let late = false;
		const timer = setTimeout(() => {
			late = true;
			reject(refusal);
		}, withinMs);
		const done = this.take(async () => {
			clearTimeout(timer);
			if (late) throw refusal;
			return await work();
		});
		return await Promise.race([done, tooLate]);
	}

	/** Waits for what has been asked for so far, however it ends. */
	async settled(): Promise<void> {
		await this.#last;
	}
}
