/** A queue with one reader. What is put in is read in order; the reader waits when there is nothing. */
export class Inbox<T> {
	private readonly items: T[] = [];
	private wake: (() => void) | undefined;
	private closed = false;

	put(item: T): void {
		if (this.closed) return;
		this.items.push(item);
		this.wake?.();
	}

	/** Nothing more is taken in, and what is left unread is dropped. */
	close(): void {
		this.closed = true;
		this.items.length = 0;
		this.wake?.();
	}

	/** @returns the next item, or undefined once closed */
	async next(): Promise<T | undefined> {
		while (this.items.length === 0 && !this.closed) {
			const { promise, resolve } = Promise.withResolvers<void>();
			this.wake = resolve;
			await promise;
		}
		return this.items.shift();
	}
}
