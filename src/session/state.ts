import type { Fault, ServerState } from "../api/server.ts";
import type { Attempt } from "./recovery.ts";

/**
 * The states of a server:
 *
 *   stopped ──start──▶ starting ──ready──▶ running
 *      ▲                  │  ▲  ◀─reboots─    │
 *      │                fails │             fails
 *      │                  ▼  │                │
 *      │              recovering ◀────────────┘
 *      │                  │ budget used up, or the old process does not die
 *      │                  ▼
 *      ├─── stopping ◀─ stop ─ (starting, running, recovering)
 *      │                                failed ──start──▶ starting
 *      │        failed, with a session that lives ──fails──▶ recovering
 *      │   stopping, to start again, without room for the record ──▶ recovering
 *      └── the guest shut itself down (from starting, running)
 *
 *   starting, before it has a session: it waits for its turn, see others.ts; stop and start end that
 *
 *   running ──nobody uses it──▶ asleep ──somebody comes, or start──▶ starting; asleep ──stop──▶ stopped
 *
 * INVARIANTS
 * - Only the Ledger changes a state: it checks this table, persists, logs and publishes.
 * - A server has at most one session that has its disks and its address. A session that boots begins only after the
 *   process of the old one has ended; one from a seal when the old one has let go of the disks.
 * - A session's number is used once. It is persisted before its process is started.
 * - A server that recovers may have a session still, which has crashed and is given time for a dump (`aftermath`): it
 *   serves nobody any more.
 */
const transitions = {
	stopped: ["starting", "failed"],
	starting: ["running", "recovering", "stopping", "stopped", "failed"],
	running: ["starting", "asleep", "recovering", "stopping", "stopped", "failed"],
	asleep: ["starting", "recovering", "stopping", "stopped", "failed"],
	recovering: ["starting", "stopping", "stopped", "failed"],
	stopping: ["stopped", "starting", "recovering", "failed"],
	failed: ["starting", "recovering", "stopping", "stopped"],
} as const satisfies Record<ServerState, readonly ServerState[]>;

export function mayBecome(from: ServerState, to: ServerState): boolean {
	return from === to || (transitions[from] as readonly ServerState[]).includes(to);
}

/** Whether a server has no session yet because it waits for others that it comes after. */
export function waitsForItsTurn({ state, session, planned }: ServerRecord): boolean {
	return state === "starting" && session === null && planned === null;
}

/** One session as it is remembered, so that the next daemon finds its process again. */
export interface SessionRecord {
	number: number;
	pid: number;
	/** Start time of the process in clock ticks since boot. */
	startTime: number;
	/** Boot of the host that it belongs to: /proc/sys/kernel/random/boot_id. */
	bootId: string;
	/** Milliseconds since the Unix epoch. */
	startedAt: number;
	readyAt: number | null;
	accelerator: "kvm" | "tcg";
	/** Whether it booted, or went on from the server's seal. */
	from: "boot" | "seal";
	/** Fingerprint of the definition that it was started with. */
	definition: string;
}

export interface DrillRecord {
	fault: Fault;
	/** Milliseconds since the Unix epoch, right before the fault was made. */
	at: number;
	session: number;
}

/** What a session that has crashed is given time for, see Aftermath. */
export interface AftermathRecord {
	does: "let-guest-dump" | "dump-then-new-session";
	/** When it is over at the latest, milliseconds since the Unix epoch. */
	until: number;
}

/** How long a guest that is stopped may take to shut down. */
export interface GraceRecord {
	withinMs: number;
	/** When that is over, milliseconds since the Unix epoch. */
	until: number;
}

/** What is remembered of a server across daemons. */
export interface ServerRecord {
	state: ServerState;
	reason: string;
	wanted: "running" | "stopped";
	maintenance: boolean;
	/** Its disposable system disk is being changed: sessions boot, and what they write there is kept aside. */
	changing: boolean;
	/** Number of the next session; counts up from 1 and never goes back. */
	nextSession: number;
	session: SessionRecord | null;
	/** Number of a session that was about to start: its process may live although nobody noted its pid. */
	planned: number | null;
	/** Numbers of sessions that stand by or are being sealed or loaded: their processes live, without disks and address. */
	standbys: number[];
	/** Numbers of failed sessions that have let go of their disks, and wait for their evidence to be read. */
	parked: number[];
	/** How many sessions from the seal have died young, one after the other. */
	youngDeaths: number;
	/** Sessions that were started to recover, newest last; those that a drill made are left out. */
	recoveries: Attempt[];
	/** The drill that was made last: its failure is told as such, also by the next daemon. */
	drill: DrillRecord | null;
	/** What its session, which has crashed, is given time for before it is ended. */
	aftermath: AftermathRecord | null;
	/** What its guest was given when it was stopped last; null for one that has not been. */
	grace: GraceRecord | null;
	/** Number of the session that is being ended because nobody uses it: that it has ended is no failure. */
	fallsAsleep: number | null;
	/** The incident that is being recovered from. */
	openIncident: string | null;
	incidents: number;
	/** Services that have not answered since they were published, see Newcomers. */
	unproven: string[];
}

export function newRecord(): ServerRecord {
	return {
		state: "stopped",
		reason: "",
		wanted: "stopped",
		maintenance: false,
		changing: false,
		nextSession: 1,
		session: null,
		planned: null,
		standbys: [],
		parked: [],
		youngDeaths: 0,
		recoveries: [],
		drill: null,
		aftermath: null,
		grace: null,
		fallsAsleep: null,
		openIncident: null,
		incidents: 0,
		unproven: [],
	};
}
