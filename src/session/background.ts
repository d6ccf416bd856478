/** Work of one kind at a time that nobody waits for, and that can be broken off. */
export class Background<Kind extends string> {
	private job: { kind: Kind; done: Promise<void> } | undefined;
	private stop = new AbortController();
	private breaks = 0;

	/** What is being done. */
	get kind(): Kind | undefined {
		return this.job?.kind;
	}

	/** Counts how often work was broken off: what came of work of an earlier round is not wanted any more. */
	get round(): number {
		return this.breaks;
	}

	/** Aborted while what is under way is being broken off. */
	get signal(): AbortSignal {
		return this.stop.signal;
	}

	/**
	 * @param onDone called when it has ended, and something else may begin
	 * @param onError called when it failed without having been broken off
	 */
	begin<Outcome>(
		kind: Kind,
		work: () => Promise<Outcome>,
		onDone: (outcome: Outcome) => void,
		onError: (error: unknown) => void,
	): void {
		const done = work()
			.then((outcome) => {
				this.job = undefined;
				onDone(outcome);
			})
			.catch((error) => {
				this.job = undefined;
				if (!this.stop.signal.aborted) onError(error);
			});
		this.job = { kind, done };
	}

	/** Waits for what is under way. */
	async settled(): Promise<void> {
		await this.job?.done;
	}

	/** Breaks off what is under way, and waits until it has ended. */
	async breakOff(): Promise<void> {
		this.breaks++;
		await this.end();
		this.stop = new AbortController();
	}

	/** Breaks off what is under way; nothing else is to be begun. */
	async end(): Promise<void> {
		this.stop.abort();
		await this.settled();
	}
}
