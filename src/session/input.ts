import type { Felt } from "../api/incident.ts";
import type { Fault } from "../api/server.ts";
import type { HostDump } from "./aftermath.ts";
import type { Pulse, Sign } from "./evidence.ts";
import type { Activity } from "./idleness.ts";
import type { ParkedEnd } from "./parked.ts";
import type { Drained } from "./renewal.ts";
import type { ReserveNews } from "./reserve.ts";
import type { Due } from "./timers.ts";

/** What a person asks of a server. */
export type Command =
	/** `inTurn`: nobody waits for it, so it waits itself until those are there that it comes after. */
	| { do: "start"; inTurn?: true }
	| { do: "stop" | "restart"; deadlineMs: number }
	| { do: "maintenance"; on: boolean }
	| { do: "seal" }
	| { do: "renew"; deadlineMs: number }
	| { do: "begin-changes" | "commit-changes" | "abandon-changes" }
	| { do: "drill"; fault: Fault };

/** Everything that a supervisor takes in. */
export type Input =
	| { kind: "command"; command: Command; done: (error?: unknown) => void }
	| { kind: "sign"; session: number; sign: Sign }
	| { kind: "pulse"; session: number; pulse: Pulse }
	| Due
	| { kind: "save" }
	/** How far the dump of a crashed session is, and what came of it. */
	| { kind: "dump-progress"; session: number; percent: number }
	| { kind: "dumped"; dump: HostDump }
	| { kind: "ask-felt"; incident: string; until: number }
	| { kind: "felt"; incident: string; felt: Felt | null }
	| { kind: "reserve"; news: ReserveNews }
	| { kind: "tend" }
	| { kind: "drained"; drained: Drained }
	| { kind: "activity"; activity: Activity }
	| { kind: "idle-look" }
	| { kind: "knock"; error: unknown }
	/** The server is defined otherwise; with the services that it published, those that it does now, and whether sessions are made of something else. */
	| { kind: "recheck"; before: readonly string[]; after: readonly string[]; anew: boolean }
	| { kind: "short-of-memory" }
	| { kind: "parked-end"; end: ParkedEnd };
