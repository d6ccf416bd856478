import type { Seen } from "../api/screen.ts";
import type { Stop } from "./crash.ts";

/**
 * Something that a session's process said by itself, at the moment it was heard (milliseconds since the Unix epoch).
 * `stop` of a panic: what a Windows says of it, where it does.
 */
export type Sign = { at: number } /** `stop`: what a Windows says of it, where it does. */ & (
	| { kind: "panicked"; details: Record<string, string>; stop?: Stop }
	| { kind: "shutdown"; guest: boolean; reason: string }
	| { kind: "reset"; guest: boolean; reason: string }
	| { kind: "process-ended"; code: number | null }
	| { kind: "qmp-lost"; why: string }
	| { kind: "disk-error"; diskFull: boolean; text: string }
);

/** What is known of a service's last answer: it may be older than the session's trouble. */
export interface Answer {
	/** Milliseconds since it came, at the most. */
	ageMs: number;
	/** Whether the service has been asked since, and takes longer than it usually does. */
	late: boolean;
}

/** What was seen when a session was looked at. */
export interface Pulse {
	/** Milliseconds since the Unix epoch. */
	at: number;
	process: "runs" | "frozen" | "uninterruptible" | "ended";
	/** QEMU's run state, or null when it did not answer in time. */
	status: string | null;
	/** When QEMU last said anything. */
	qmpHeardAt: number;
	/** When the guest agent last answered; null when it never has. */
	agentHeardAt: number | null;
	/** Health of the published services, as the front door sees it. */
	services: Readonly<Record<string, "up" | "down" | "unknown">>;
	/** How fresh that is, by service; without a word on one that is up, it has answered just now. */
	answers?: Readonly<Record<string, Answer>>;
	/** Whether any processor of the guest takes interrupts. */
	interrupts: "on" | "off" | "unknown";
	/** Share of the time since the last look that QEMU's threads wanted a processor of the host and got none, 0 to 1. */
	starved: number;
	/** Its TPM, a process beside QEMU, has ended. */
	tpmGone?: true;
	/** What stands on its screen, when that was looked at this time: never for some servers, for others every few seconds. */
	screen?: Seen;
}

/** Which signs of life a server can give at all. */
export interface Hearing {
	agent: boolean;
	services: readonly string[];
	/** Those of its services that prove nothing by their silence, see Newcomers. */
	unproven?: readonly string[];
	/** Whether its screen is looked at. */
	screen?: boolean;
}
