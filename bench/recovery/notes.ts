import { readFile } from "node:fs/promises";
import { paths } from "../../src/store/paths.ts";

/**
 * Which POSTs ran, in which session, as the guests themselves said on their serial consoles: a line `note ID` before the
 * answer. Bulkhead keeps a session's console, and the end of it with the incident.
 */
export class Notes {
	private readonly server: ReturnType<ReturnType<typeof paths>["server"]>;
	private readonly name: string;
	/** By session. */
	private readonly consoles = new Map<number, string>();

	constructor(state: string, server: string) {
		this.server = paths(state, "").server(server);
		this.name = server;
	}

	/** Reads what there is of a session's console, and keeps the longest that was ever there. */
	async read(session: number): Promise<void> {
		const files = [
			this.server.session(session).console,
			this.server.incident(`${this.name}-${session}`).evidence("console.txt"),
		];
		for (const file of files) {
			const text = await readFile(file, "latin1").catch(() => "");
			if (text.length > (this.consoles.get(session)?.length ?? 0)) this.consoles.set(session, text);
		}
	}

	/** @returns the sessions in which each POST ran, by its id; a session is there as often as it ran in it */
	ran(): Map<string, number[]> {
		const ran = new Map<string, number[]>();
		for (const [session, text] of this.consoles) {
			// A line that the panic broke off has no end, and its id may be another's beginning.
			for (const [, id = ""] of text.matchAll(/\bnote ([\w-]+)\r?\n/g))
				ran.set(id, [...(ran.get(id) ?? []), session]);
		}
		return ran;
	}
}
