/** A queue with one reader. What is put in is read in order; the reader waits when there is nothing. */
export class Inbox<T> {
	private readonly items: T[] = [];
	private wake: (() => void) | undefined;
	private closed = false;

	/** @returns false once closed: then the item is not taken in */
	put(item: T): boolean {
		if (this.closed) return false;
		this.items.push(item);
		this.wake?.();
		return true;
	}

	/** Nothing more is taken in. @returns what is left unread */
	close(): T[] {
		this.closed = true;
		this.wake?.();
		return this.items.splice(0);
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
