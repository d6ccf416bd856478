import { Conversation } from "./conversation.ts";
import { type Protocol, Refused, type Visit } from "./protocol.ts";

const request = "GET /page HTTP/1.1\r\nHost: services.example.test\r\n\r\n";

/** The length of a response that is there as a whole; it has to tell its own. */
export function responseLength(bytes: Buffer): number | undefined {
	const end = bytes.indexOf("\r\n\r\n");
	if (end < 0) return undefined;
	const length = /^content-length: *(\d+)/im.exec(bytes.toString("latin1", 0, end))?.[1];
	if (length === undefined) return end + 4;
	const all = end + 4 + Number(length);
	return bytes.length < all ? undefined : all;
}

async function get(conversation: Conversation): Promise<void> {
	const response = await conversation.ask(request, responseLength);
	const status = response.toString("latin1", 9, 12);
	if (status !== "200") throw new Refused(status);
}

function visitOf(conversation: Conversation): Visit {
	return {
		ask: async () => await get(conversation),
		leave: async () => conversation.close(),
		get cut() {
			return conversation.cut;
		},
	};
}

/** GETs on connections that are kept. The front door takes a connection at once, so the first answer is what counts. */
export const http: Protocol = {
	...{ name: "http", service: "http", listen: 18120, asksEach: 200, thinkMs: 100 },
	visit: async (port) => {
		const conversation = await Conversation.open(port);
		try {
			await get(conversation);
			return visitOf(conversation);
		} catch (error) {
			conversation.close();
			throw error;
		}
	},
};

/** A handshake and some GETs; no session is resumed. */
export const https: Protocol = {
	...{ name: "https", service: "https", listen: 18121, asksEach: 10, thinkMs: 100 },
	visit: async (port) => visitOf(await Conversation.open(port, true)),
};
