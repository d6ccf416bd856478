import type { Problem } from "./problem.ts";

/** What an entry of `publish:` lets in at the server's own address; what is left out is not known. */
export interface AtAddress {
	service: string;
	to: "host" | "lan";
	protocol?: "http" | "tcp" | "udp" | undefined;
	/** Inside the server; null: everything. */
	port?: number | null | undefined;
}

/**
 * What is there once, at the server's own address, is published once: everybody on the LAN includes this host.
 * @param entries in the order of `publish:`; null where one is not at the own address
 */
export function repeatProblems(server: string, entries: readonly (AtAddress | null)[]): Problem[] {
	const before = new Map<string, { at: number; to: AtAddress["to"] }>();
	return entries.flatMap((entry, i): Problem[] => {
		if (!entry) return [];
		const what = textOf(entry);
		const first = before.get(what);
		if (!first) {
			before.set(what, { at: i, to: entry.to });
			return [];
		}
		const isSame = first.to === entry.to;
		const why = isSame ? "" : "`to: lan` includes this host; ";
		const message = `${what} is already published at ${server}'s own address by publish.${first.at}; ${why}leave one of them out`;
		return [{ path: ["servers", server, "publish", i, isSame ? "service" : "to"], message }];
	});
}

function textOf({ service, protocol, port }: AtAddress): string {
	if (port === null || (port === undefined && protocol === undefined)) return service;
	const transport = protocol === undefined ? [] : [protocol === "udp" ? "UDP" : "TCP"];
	const at = port === undefined ? [] : [`port ${port}`];
	return [service, "on", ...transport, ...at].join(" ");
}
