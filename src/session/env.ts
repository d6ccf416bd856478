import type { Event, NewEvent } from "../api/event.ts";
import type { Felt, Incident } from "../api/incident.ts";
import type { Seen } from "../api/screen.ts";
import type { Fault } from "../api/server.ts";
import type { Pulse, Sign } from "./evidence.ts";
import type { Other } from "./others.ts";
import type { ServerRecord, SessionRecord } from "./state.ts";

/**
 * Everything that the supervision of a server needs from outside. The daemon wires the real parts; the simulator in
 * test/sim runs the same supervisor against made-up ones, with a clock of its own.
 */
export interface Env {
	clock: {
		/** Milliseconds since the Unix epoch. */
		now(): number;
		/** Milliseconds since an arbitrary moment. How long something waits goes by this: nobody sets it. */
		monotonic(): number;
		/** Takes `ms` milliseconds of `monotonic`, and no less. */
		sleep(ms: number, signal?: AbortSignal): Promise<void>;
	};
	machines: Machines;
	door: Door;
	journal: Journal;
	/** The servers that this one comes after, as they are now; none that is not there or cannot be supervised. */
	others(): readonly Other[];
}

export interface Machines {
	/**
	 * Starts a session in a process of its own. The session before has ended: its disks have no other writer.
	 * @param changing whether what it writes to a disposable system disk is kept aside, see `beginChanges`
	 * @throws Error in words when it could not be started; nothing is left then
	 */
	start(number: number, onSign: (sign: Sign) => void, changing: boolean): Promise<Machine>;
	/** Takes over a session that an earlier daemon started. */
	adopt(session: SessionRecord, onSign: (sign: Sign) => void): Promise<Adopted>;
	/**
	 * Makes the server's seal ready for use: reads and checks it. One that cannot be used is thrown away.
	 * @returns undefined when sessions can be loaded; why there is none (any more), in words, else
	 * @throws Error in words when that cannot be told now; it is as it was then
	 */
	prepareSeal(signal: AbortSignal): Promise<string | undefined>;
	/** Boots once more, apart from the network and the data, and freezes it when it is ready. @throws Error in words */
	makeSeal(number: number, signal: AbortSignal): Promise<void>;
	/** Throws the seal away, and what is left of one that was being made; sessions that run from it go on. @returns whether anything was there */
	dropSeal(): Promise<boolean>;
	/**
	 * Loads a session from the seal and pauses it.
	 * @param awaited whether users wait for it: else it is done in what time others leave
	 * @param onLost called when it fails while it waits
	 * @throws Error in words; nothing of it is left then
	 */
	load(
		number: number,
		awaited: boolean,
		onLost: (why: string) => void,
		signal: AbortSignal,
	): Promise<Standby>;
	/** Makes room for changes of a disposable system disk; what is there of earlier ones stays. */
	beginChanges(): Promise<void>;
	/**
	 * What was changed becomes part of the system disk, for good. No session runs. It stays beside it until `dropChanges`,
	 * so that this can be done again.
	 * @throws Error in words; the system disk and the changes are as they were then
	 */
	keepChanges(): Promise<void>;
	/** Takes away what was changed. */
	dropChanges(): Promise<void>;
	/** Whether the host still runs the boot that a session was started in. */
	sameBoot(bootId: string): Promise<boolean>;
	/** Keeps what an ended session left behind as evidence of an incident. @returns the names of the files kept */
	keepRemains(number: number, incident: string): Promise<string[]>;
	/**
	 * Ends whatever of a session still lives, and removes what it leaves behind on the host: control group, sockets,
	 * throw-away disks. @returns false when a process does not end
	 */
	cleanUp(number: number): Promise<boolean>;
}

/** A session that was taken over; or why not: it has ended meanwhile, or it lives and its monitor does not answer. */
export type Adopted = Machine | "ended" | "unreachable";

/** A session that is loaded and paused, and can take over at once. */
export interface Standby {
	readonly session: Omit<SessionRecord, "readyAt">;
	/**
	 * Lets the guest run and sets its clock. It has no disks yet, and no packet passes it.
	 * @throws Error in words, when it does not get going within two seconds; then it is to be closed
	 */
	wake(): Promise<void>;
	/** From here on what comes for the server waits for this session. */
	takeAddress(): Promise<void>;
	/**
	 * Gives it the server's data disks and lets packets through, when it is awake. The session before has let go of the disks.
	 * @throws Error in words; then it is to be closed
	 */
	run(onSign: (sign: Sign) => void): Promise<Machine>;
	/** Ends it. @returns false when its process does not end */
	close(): Promise<boolean>;
}

/** What is kept of a failed session. */
export interface Evidence {
	files: string[];
	details: Record<string, string>;
	/** What stood on its screen, where that can be told. */
	screen?: Seen;
}

/** One running session. */
export interface Machine {
	readonly session: Omit<SessionRecord, "readyAt">;
	/** Looks at every sign of life there is. Never throws; what does not answer is said as such. */
	look(): Promise<Pulse>;
	pressPowerButton(): Promise<void>;
	/** Asks the guest to write down what it has not yet, as before a shutdown. Takes two seconds at most, and never throws. */
	settle(): Promise<void>;
	/** Lets a session run again that was paused because the host's disk was full. */
	resume(): Promise<void>;
	/** Screenshot, registers, console, monitor transcript, as far as they can be had within two seconds. */
	collectEvidence(incident: string): Promise<Evidence>;
	/**
	 * Stops the guest for good and takes its data disks away, so that the next session may have them. It stays for its
	 * evidence ("parked") where it can; else its process is ended.
	 * @returns "stuck" when not even SIGKILL ended it: then it still holds its disks
	 */
	letGo(): Promise<"parked" | "ended" | "stuck">;
	/**
	 * Lets a guest that has crashed run on, so that it can write its own dump. From here on its session ends, paused, when
	 * the guest restarts or shuts down, and nothing is begun anew in it; also when no daemon is there to see it.
	 * @throws Error when it does not work; then it is to be ended
	 */
	letGuestDump(): Promise<void>;
	/**
	 * Pauses the guest for good and keeps a dump of its memory; goes on with one that an earlier daemon began.
	 * @param onProgress how far it is, in percent, again and again
	 * @returns the name of the file, which is kept with the incident @throws Error in words, also when time is up
	 */
	dumpMemory(incident: string, withinMs: number, onProgress: (percent: number) => void): Promise<string>;
	/** Ends the process, asking first when `politely`. @returns "stuck" when not even SIGKILL ended it */
	close(politely: boolean): Promise<"ended" | "stuck">;
	/** Makes a failure on purpose. */
	inject(fault: Fault): Promise<void>;
	/** Lets go of the process without ending it. */
	leave(): void;
}

/** What the supervisor needs of the front door. */
export interface Door {
	/** A new session begins: what was known of the server's health is void. */
	expect(): Promise<void>;
	/**
	 * Ends the requests that nobody can answer rightly any more: answered by half without telling the length, or asked
	 * again once already. Before `cut`, when the failed session says nothing any more.
	 */
	dropHopeless(): Promise<void>;
	/** Ends the front door's own connections to the failed session, so that nobody waits for a dead peer. */
	cut(): Promise<void>;
	/**
	 * Lets nothing new to the session, and waits until what is with it has ended; users who come now wait.
	 * @returns false when that takes longer; `release` in either case
	 */
	drain(deadlineMs: number, signal: AbortSignal): Promise<boolean>;
	/** Lets users through again. */
	release(): Promise<void>;
	/** Users' connections now, and all there have ever been; null when nothing is published. */
	activity(): Promise<{ current: number; total: number } | null>;
	/** Nothing is behind the front door: it is not asked how it is, until `expect`. */
	rest(): Promise<void>;
	/** Resolves when a user comes. @throws when that cannot be seen any more, or the signal's reason */
	knock(signal: AbortSignal): Promise<void>;
	/** What users felt between two moments, milliseconds since the Unix epoch; null when nothing is published. */
	felt(from: number, to: number): Promise<Felt | null>;
}

export interface Journal {
	/** Persists the server's record; resolves when it is safe on disk. */
	saveRecord(record: ServerRecord): Promise<void>;
	saveIncident(incident: Incident): Promise<void>;
	loadIncident(id: string): Promise<Incident | undefined>;
	/** Publishes an event at once and keeps it. */
	event(event: Omit<NewEvent, "server">): Event | undefined;
}
