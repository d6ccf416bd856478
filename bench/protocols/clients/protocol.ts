import type { Conversation, Ending } from "./conversation.ts";

/** What a service answered when it should have done something else, such as "502". */
export class Refused extends Error {
	readonly how: string;

	constructor(how: string) {
		super(`the service answered: ${how}`);
		this.how = how;
	}
}

/** A client's connection that a service has answered on. */
export interface Visit {
	/** Asks for one thing, and waits for its answer. @throws Cut, Refused */
	ask(): Promise<void>;
	/** Says goodbye where the protocol has a word for it, and closes. */
	leave(): Promise<void>;
	/** How and when (`performance.now()`) the service ended it, when it has. */
	readonly cut: Conversation["cut"];
}

/** How the clients of a protocol behave. */
export interface Protocol {
	name: "http" | "https" | "ldap" | "smtp" | "tcp";
	/** The service's name in the site file. */
	service: string;
	/** Port on the host. */
	listen: number;
	/** Until the service has answered for the first time. @throws Cut, Refused */
	visit(port: number): Promise<Visit>;
	/** Things that are asked for on one connection. */
	asksEach: number;
	/** Milliseconds between an answer and the next thing, on average. */
	thinkMs: number;
}

export type { Ending };
