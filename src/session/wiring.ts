import { explain } from "../api/errors.ts";
import { Aftermath } from "./aftermath.ts";
import { Changes } from "./changes.ts";
import { Closing } from "./closing.ts";
import { Commands } from "./commands.ts";
import { Doorman } from "./doorman.ts";
import type { Env } from "./env.ts";
import { Holder } from "./holder.ts";
import { Idleness } from "./idleness.ts";
import { IncidentBook } from "./incident-book.ts";
import { Incidents } from "./incidents.ts";
import type { Input } from "./input.ts";
import { Judge } from "./judge.ts";
import type { Keeper } from "./keeper.ts";
import type { Ledger } from "./ledger.ts";
import { Lifecycle } from "./lifecycle.ts";
import { Maintenance } from "./maintenance.ts";
import { Newcomers } from "./newcomers.ts";
import { Parked } from "./parked.ts";
import type { Policy } from "./policy.ts";
import { Readiness } from "./readiness.ts";
import { Recoverer } from "./recoverer.ts";
import { Recoveries } from "./recoveries.ts";
import { Remarks } from "./remarks.ts";
import { Renewal } from "./renewal.ts";
import { Reserve } from "./reserve.ts";
import { Resumption } from "./resumption.ts";
import { Sleep } from "./sleep.ts";
import { Starter } from "./starter.ts";
import { TakeOver } from "./take-over.ts";
import { Timers } from "./timers.ts";

export interface Surroundings {
	ledger: Ledger;
	keeper: Keeper;
	env: Env;
	policy: () => Policy;
	/** Puts something into the supervisor's inbox, at once or after a while. */
	put(input: Input): void;
	later(afterMs: number, input: Input): void;
	/** Aborted when the server is let go of. */
	gone: AbortSignal;
}

/** The parts that the supervisor of one server talks to. */
export type Parts = ReturnType<typeof wire>;

/**
 * Puts the parts of a server's supervision together. Each knows only those above it here; what it does in the
 * background comes back through the inbox.
 */
export function wire({ ledger, keeper, env, policy, put, later, gone }: Surroundings) {
	const { clock, machines, door } = env;
	const warm = () => policy().warm;
	const holder = new Holder(env, {
		onSign: (session, sign) => put({ kind: "sign", session, sign }),
		onPulse: (session, pulse) => put({ kind: "pulse", session, pulse }),
		onTrouble: (error) => ledger.say("daemon", `Watching failed: ${explain(error)}`),
	});
	const timers = new Timers(later);
	const reserve = new Reserve(ledger, env, warm, {
		news: (news) => put({ kind: "reserve", news }),
		tendLater: (ms) => later(ms, { kind: "tend" }),
	});
	const book = new IncidentBook(env, keeper);
	const incidents = new Incidents(ledger, clock, book);
	const doorman = new Doorman(door, ledger, book);
	const recoveries = new Recoveries(ledger, clock, book, reserve, () => policy().budget);
	const parked = new Parked(ledger, env, book, (end) => put({ kind: "parked-end", end }));
	const closing = new Closing({ ledger, machines, holder, book, incidents, reserve, timers });
	const takeOver = new TakeOver({ ledger, clock, holder, book, doorman, closing, parked });
	const starter = new Starter({ ledger, holder, book, doorman, reserve, takeOver, timers });
	const aftermath = new Aftermath({
		...{ ledger, clock, holder, book, timers },
		policy: () => policy().onCrash,
		onDump: (dump) => put({ kind: "dumped", dump }),
		onProgress: (session, percent) => put({ kind: "dump-progress", session, percent }),
	});
	const recoverer = new Recoverer({
		...{ ledger, book, incidents, doorman, closing, aftermath },
		...{ reserve, takeOver, starter, recoveries, timers },
	});
	const life = new Lifecycle({
		...{ ledger, clock, holder, incidents, closing },
		...{ reserve, starter, recoverer, timers },
		others: () => env.others(),
	});
	const changes = new Changes(ledger, machines, reserve, closing, life);
	const renewal = new Renewal({
		...{ ledger, clock, door, doorman, holder, reserve, takeOver, recoverer },
		policy: warm,
		onDrained: (drained) => put({ kind: "drained", drained }),
	});
	const sleep = new Sleep({
		...{ ledger, door, doorman, holder, reserve, takeOver, closing, life, gone },
		onKnock: (error) => put({ kind: "knock", error }),
	});
	const idleness = new Idleness({
		...{ ledger, env, reserve, renewal, sleep },
		policy: warm,
		lookLater: (ms) => later(ms, { kind: "idle-look" }),
		onActivity: (activity) => put({ kind: "activity", activity }),
	});
	const resumption = new Resumption({
		...{ ledger, machines, holder, book, incidents, closing, recoverer, life },
	});
	const maintenance = new Maintenance(ledger, reserve, life, recoverer, resumption);
	const readiness = new Readiness({
		...{ ledger, clock, book, incidents, holder, recoveries },
		patience: () => policy().patience,
		tendLater: (ms) => later(ms, { kind: "tend" }),
		askFeltLater: (ms, incident, until) => later(ms, { kind: "ask-felt", incident, until }),
		onFelt: (incident, felt) => put({ kind: "felt", incident, felt }),
	});
	const newcomers = new Newcomers(ledger);
	const remarks = new Remarks(ledger);
	const judge = new Judge({
		...{
			ledger,
			clock,
			holder,
			life,
			recoverer,
			renewal,
			maintenance,
			readiness,
			newcomers,
			remarks,
			aftermath,
		},
		others: () => env.others(),
		policy,
	});
	const commands = new Commands({
		...{ ledger, clock, holder, reserve, life, sleep, renewal, changes, maintenance, warm },
	});
	return {
		...{ aftermath, book, closing, commands, holder, idleness, judge, life, newcomers, parked, readiness },
		...{ recoverer, renewal, reserve, resumption, sleep, timers },
	};
}
