import type { Logger } from "../../host/log.ts";
import type { Launcher } from "./launcher.ts";

interface Hurried {
	/** Of the session. */
	number: number;
	launcher: Pick<Launcher, "server" | "setImportance">;
	log: Logger;
}

/**
 * Gives a session that nobody waits for a share of its own when it takes too long, until the result is disposed of: on a
 * host that is busy for long it would never be ready.
 */
export function hurryAfter(ms: number, { number, launcher, log }: Hurried): AsyncDisposable {
	let hurried: Promise<unknown> = Promise.resolve();
	const timer = setTimeout(() => {
		hurried = launcher.setImportance(number, "late").catch((err) => {
			log.warn({ err, server: launcher.server.name, session: number }, "it could not be given more time");
		});
	}, ms);
	return {
		[Symbol.asyncDispose]: async () => {
			clearTimeout(timer);
			await hurried;
		},
	};
}
