import { Conversation } from "./conversation.ts";
import { type Protocol, Refused } from "./protocol.ts";

/** The length of a reply of one or more lines (RFC 5321, 4.2.1). */
export function replyLength(bytes: Buffer): number | undefined {
	const text = bytes.toString("latin1");
	return /^(?:\d{3}-[^\n]*\n)*\d{3}(?: [^\n]*)?\r?\n/.exec(text)?.[0].length;
}

async function say(conversation: Conversation, text: string, code: string): Promise<void> {
	const reply = (await conversation.ask(text, replyLength)).toString("latin1");
	const came = reply.slice(0, 3);
	if (came !== code) throw new Refused(came);
}

const message = `Subject: bench\r\n\r\n${"A line of a message.\r\n".repeat(20)}.\r\n`;

async function send(conversation: Conversation): Promise<void> {
	await say(conversation, "MAIL FROM:<sender@example.test>\r\n", "250");
	await say(conversation, "RCPT TO:<user1@example.test>\r\n", "250");
	await say(conversation, "DATA\r\n", "354");
	await say(conversation, message, "250");
}

/** A greeting and EHLO, some messages, QUIT. A message is one thing: four commands, the last one answered from the disk. */
export const smtp: Protocol = {
	...{ name: "smtp", service: "smtp", listen: 18123, asksEach: 3, thinkMs: 200 },
	visit: async (port) => {
		const conversation = await Conversation.open(port);
		try {
			await say(conversation, "", "220");
			await say(conversation, "EHLO client.example.test\r\n", "250");
		} catch (error) {
			conversation.close();
			throw error;
		}
		return {
			ask: async () => await send(conversation),
			leave: async () => {
				try {
					await say(conversation, "QUIT\r\n", "221");
				} finally {
					conversation.close();
				}
			},
			get cut() {
				return conversation.cut;
			},
		};
	},
};
