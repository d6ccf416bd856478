const lineEnd = 0x0a;
const noBytes = Buffer.alloc(0);

export interface LineEars {
	/** A line without its end, as latin1. */
	onLine(line: string): void;
	/** Told as soon as a line is longer than what is taken; all of it is dropped. */
	onTooLong(): void;
	/** Bytes of the longest line that is taken now. */
	largest(): number;
}

/**
 * Cuts what a guest sends into lines. However it is sent, byte for byte or without any line's end, no more than twice the
 * longest line is kept, and each byte is moved a few times at most.
 */
export class AgentLines {
	private readonly ears: LineEars;
	private held = noBytes;
	private length = 0;
	private dropping = false;

	constructor(ears: LineEars) {
		this.ears = ears;
	}

	take(chunk: Buffer): void {
		let from = 0;
		for (let end = chunk.indexOf(lineEnd); end >= 0; end = chunk.indexOf(lineEnd, from)) {
			this.hold(chunk.subarray(from, end));
			const line = this.dropping ? undefined : this.held.toString("latin1", 0, this.length);
			this.begin();
			if (line !== undefined) this.ears.onLine(line);
			from = end + 1;
		}
		this.hold(chunk.subarray(from));
	}

	private begin(): void {
		this.held = noBytes;
		this.length = 0;
		this.dropping = false;
	}

	private hold(part: Buffer): void {
		if (this.dropping || part.length === 0) return;
		const length = this.length + part.length;
		if (length > this.ears.largest()) {
			this.begin();
			this.dropping = true;
			this.ears.onTooLong();
			return;
		}
		if (length > this.held.length) {
			const larger = Buffer.allocUnsafe(2 * length);
			this.held.copy(larger, 0, 0, this.length);
			this.held = larger;
		}
		part.copy(this.held, this.length);
		this.length = length;
	}
}
