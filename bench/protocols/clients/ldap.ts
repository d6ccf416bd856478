import { Conversation } from "./conversation.ts";
import { type Protocol, Refused } from "./protocol.ts";

/** BER as LDAP has it (RFC 4511, 5.1): definite lengths. */
function element(tag: number, ...parts: readonly (Buffer | string | number)[]): Buffer {
	const content = Buffer.concat(
		parts.map((part) => (typeof part === "number" ? Buffer.from([part]) : Buffer.from(part))),
	);
	const { length } = content;
	const head = length < 128 ? [tag, length] : [tag, 0x82, length >> 8, length & 255];
	return Buffer.concat([Buffer.from(head), content]);
}

const tags = { integer: 2, text: 4, choice: 0x0a, truth: 1, sequence: 0x30 } as const;
const operations = { bindAnswer: 0x61, unbind: 0x42, entry: 0x64, searchDone: 0x65 } as const;

function message(id: number, operation: Buffer): Buffer {
	return element(tags.sequence, element(tags.integer, id), operation);
}

const anonymousBind = element(0x60, element(tags.integer, 3), element(tags.text, ""), element(0x80, ""));

/** uid=USER below the whole tree, all attributes. */
function searchFor(user: string): Buffer {
	return element(
		0x63,
		element(tags.text, "dc=example,dc=test"),
		element(tags.choice, 2),
		element(tags.choice, 0),
		element(tags.integer, 0),
		element(tags.integer, 0),
		element(tags.truth, 0),
		element(0xa3, element(tags.text, "uid"), element(tags.text, user)),
		element(tags.sequence, ""),
	);
}

/** Where the element that begins at `from` has its content and its end; undefined when it is not there as a whole. */
function extentOf(bytes: Buffer, from: number): { content: number; end: number } | undefined {
	const first = bytes[from + 1];
	if (first === undefined) return undefined;
	const more = first < 128 ? 0 : first & 127;
	if (bytes.length < from + 2 + more) return undefined;
	const length = more === 0 ? first : bytes.readUIntBE(from + 2, more);
	const content = from + 2 + more;
	return content + length > bytes.length ? undefined : { content, end: content + length };
}

/** Operations of the messages at the beginning of `bytes` up to the one that ends an answer. */
export function answerIn(bytes: Buffer): { length: number; operations: number[] } | undefined {
	const found: number[] = [];
	let at = 0;
	for (;;) {
		const whole = extentOf(bytes, at);
		if (!whole) return undefined;
		const id = extentOf(bytes, whole.content);
		const operation = id && bytes[id.end];
		if (operation === undefined) throw new Refused("no LDAP");
		found.push(operation);
		at = whole.end;
		if (operation !== operations.entry) return { length: at, operations: found };
	}
}

async function converse(conversation: Conversation, request: Buffer, wanted: readonly number[]) {
	const answer = await conversation.ask(request, (bytes) => answerIn(bytes)?.length);
	const came = answerIn(answer)?.operations ?? [];
	if (came.join() !== wanted.join()) throw new Refused(`operations ${came.join(", ")}`);
}

/** An anonymous bind, and searches for one person each. */
export const ldap: Protocol = {
	...{ name: "ldap", service: "ldap", listen: 18122, asksEach: 50, thinkMs: 100 },
	visit: async (port) => {
		const conversation = await Conversation.open(port);
		let id = 1;
		try {
			await converse(conversation, message(id, anonymousBind), [operations.bindAnswer]);
		} catch (error) {
			conversation.close();
			throw error;
		}
		return {
			ask: async () => {
				id = (id % 100) + 1;
				const wanted = [operations.entry, operations.searchDone];
				await converse(conversation, message(id, searchFor(`user${id}`)), wanted);
			},
			leave: async () => {
				await conversation.ask(message(1, Buffer.from([operations.unbind, 0])), () => 0);
				conversation.close();
			},
			get cut() {
				return conversation.cut;
			},
		};
	},
};
