import { Agent, request } from "node:http";

export interface Answer {
	status: number;
	body: string;
	retryAfter: string | undefined;
}

export interface Client {
	/** @param body of POST and PUT */
	request(method: string, path: string, body?: string): Promise<Answer>;
	/** One connection for several requests. */
	keptAlive(): Pick<Client, "request"> & { close(): void };
}

/** An HTTP client that repeats nothing by itself. */
export function clientFor(port: number, host = "127.0.0.1"): Client {
	return {
		request: async (method, path, body) => await ask({ host, port, method, path, body, agent: false }),
		keptAlive: () => {
			const agent = new Agent({ keepAlive: true, maxSockets: 1 });
			return {
				request: async (method, path, body) => await ask({ host, port, method, path, body, agent }),
				close: () => agent.destroy(),
			};
		},
	};
}

async function ask(options: {
	host: string;
	port: number;
	method: string;
	path: string;
	body: string | undefined;
	agent: Agent | false;
}): Promise<Answer> {
	const { promise, resolve, reject } = Promise.withResolvers<Answer>();
	const asked = request({ ...options, signal: AbortSignal.timeout(60_000) }, async (response) => {
		try {
			let body = "";
			for await (const chunk of response.setEncoding("utf8")) body += chunk;
			resolve({ status: response.statusCode ?? 0, body, retryAfter: response.headers["retry-after"] });
		} catch (error) {
			reject(error);
		}
	});
	asked.on("error", reject);
	asked.end(["POST", "PUT"].includes(options.method) ? (options.body ?? "body") : undefined);
	return await promise;
}
