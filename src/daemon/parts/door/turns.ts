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

	/** Waits for what has been asked for so far, however it ends. */
	async settled(): Promise<void> {
		await this.#last;
	}
}
