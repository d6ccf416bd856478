/** One message of an event stream. */
export interface Message {
	/** The last `id:` that was seen, in this message or an earlier one; empty when there was none. */
	id: string;
	data: string;
}

/** An event is a line of a few hundred characters; a buffer that grows beyond this is not ours. */
const longestMessage = 2 ** 20;

/**
 * Takes a `text/event-stream` apart, as the HTML standard describes it
 * (https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream), in pieces cut anywhere.
 * Of its fields only `id` and `data` are used here.
 */
export class EventStreamParser {
	#rest = "";
	#data: string[] = [];
	#id: string;
	#begun = false;
	#afterReturn = false;

	/** @param id the last id that was seen on an earlier connection */
	constructor(id = "") {
		this.#id = id;
	}

	/** @returns the messages that this piece completes. @throws Error when a message grows beyond all measure */
	push(piece: string): Message[] {
		this.#rest += this.#clean(piece);
		const lines = this.#rest.split("\n");
		this.#rest = lines.pop() ?? "";
		const messages = lines.flatMap((line) => this.#line(line));
		const held = this.#data.reduce((sum, line) => sum + line.length, this.#rest.length);
		if (held > longestMessage)
			throw new Error(`a message of the event stream is longer than ${longestMessage}`);
		return messages;
	}

	/** Line ends become line feeds; a CR LF may be cut between its two, and a byte order mark may come first. */
	#clean(piece: string): string {
		let text = piece;
		if (!this.#begun && text.startsWith("\uFEFF")) text = text.slice(1);
		if (piece !== "") this.#begun = true;
		if (this.#afterReturn && text.startsWith("\n")) text = text.slice(1);
		if (piece !== "") this.#afterReturn = piece.endsWith("\r");
		return text.replace(/\r\n?/g, "\n");
	}

	#line(line: string): Message[] {
		if (line === "") return this.#dispatch();
		const colon = line.indexOf(":");
		const field = colon < 0 ? line : line.slice(0, colon);
		const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
		if (field === "data") this.#data.push(value);
		if (field === "id" && !value.includes("\0")) this.#id = value;
		return [];
	}

	#dispatch(): Message[] {
		if (this.#data.length === 0) return [];
		const message = { id: this.#id, data: this.#data.join("\n") };
		this.#data = [];
		return [message];
	}
}
