import { Conversation } from "./conversation.ts";
import { type Protocol, Refused } from "./protocol.ts";

let lines = 0;

async function sendLine(conversation: Conversation): Promise<void> {
	const line = `line ${++lines}\n`;
	const answer = await conversation.ask(line, (bytes) => (bytes.includes("\n") ? bytes.length : undefined));
	if (answer.toString("latin1") !== line) throw new Refused("another line");
}

/** Lines that come back, on connections that stay as long as they are let. */
export const tcp: Protocol = {
	...{ name: "tcp", service: "echo", listen: 18124, asksEach: 100_000, thinkMs: 100 },
	visit: async (port) => {
		const conversation = await Conversation.open(port);
		try {
			await sendLine(conversation);
		} catch (error) {
			conversation.close();
			throw error;
		}
		return {
			ask: async () => await sendLine(conversation),
			leave: async () => conversation.close(),
			get cut() {
				return conversation.cut;
			},
		};
	},
};
