import { z } from "zod";

import { domainOrigins } from "./domain.ts";
import { buses, firmwares, guestNames } from "./guest.ts";

export const serverStates = [
	"stopped",
	"starting",
	"running",
	"asleep",
	"recovering",
	"stopping",
	"failed",
] as const;
export type ServerState = (typeof serverStates)[number];

/**
 * Which action is allowed in which state. Guards of the daemon, the commands and the documentation derive from it.
 */
export const allowedIn = {
	start: ["stopped", "failed", "asleep"],
	stop: ["starting", "running", "asleep", "recovering", "stopping"],
	restart: ["starting", "running", "failed"],
	delete: ["stopped", "failed"],
	drill: ["running"],
	console: ["starting", "running", "stopping"],
	renew: ["running"],
	seal: ["running"],
	"begin-changes": ["running", "stopped", "failed"],
	"commit-changes": ["stopped", "failed"],
	"abandon-changes": ["stopped", "failed"],
	keys: ["starting", "running", "stopping"],
	screenshot: ["starting", "running", "recovering", "stopping"],
	maintenance: serverStates,
} as const satisfies Record<string, readonly ServerState[]>;

export type Action = keyof typeof allowedIn;

export function isAllowed(action: Action, state: ServerState): boolean {
	return (allowedIn[action] as readonly ServerState[]).includes(state);
}

export const faults = ["panic", "kill", "hang", "freeze"] as const;
/** A failure that a drill makes. */
export type Fault = (typeof faults)[number];

export const publishedView = z.object({
	service: z.string(),
	protocol: z.enum(["http", "tcp", "udp"]),
	/** Port inside the server, the one that is asked whether the service is well; null: everything. */
	port: z.int().nullable(),
	to: z.enum(["host", "lan"]),
	/** At a port of the host, or at the server's own address. */
	through: z.enum(["front-door", "address"]),
	/** Port on the host; null at the server's own address. */
	listen: z.int().nullable(),
	/** All ports inside the server, as `tcp 389` or `tcp 49152-65535`; `everything`. */
	ports: z.array(z.string()),
});

export const sessionView = z.object({
	number: z.int(),
	/** Process id of its QEMU. */
	pid: z.int(),
	/** Milliseconds since the Unix epoch. */
	startedAt: z.number(),
	/** When it first answered as ready; null while it boots. */
	readyAt: z.number().nullable(),
	accelerator: z.enum(["kvm", "tcg"]),
	/** Whether it booted, or went on from the server's seal. */
	from: z.enum(["boot", "seal"]),
});

export const warmView = z.object({
	seal: z.enum(["none", "making", "ready"]),
	/** Why there is no seal, in words; empty when there is one. */
	why: z.string(),
	/** How many next sessions stand by, and how many shall. */
	standbys: z.int(),
	wanted: z.int(),
});

export const serverView = z.object({
	name: z.string(),
	state: z.enum(serverStates),
	/** Why it is in this state, in words; empty when there is nothing to say. */
	reason: z.string(),
	wanted: z.enum(["running", "stopped"]),
	maintenance: z.boolean(),
	/** Its disposable system disk is being changed: what is written there is kept aside until that is committed. */
	changing: z.boolean(),
	source: z.string(),
	memoryBytes: z.number(),
	cpus: z.int(),
	/** What it runs, and what of its hardware follows from that. */
	guest: z.enum(guestNames),
	firmware: z.enum(firmwares),
	tpm: z.boolean(),
	/** Files on the host that are in its CD drives. */
	discs: z.array(z.string()),
	systemDisk: z.enum(["kept", "disposable"]),
	/** What its system disk is attached to. */
	systemBus: z.enum(buses),
	dataDisks: z.array(z.string()),
	address: z.string().nullable(),
	/** The Active Directory domain that it is a controller of, made here or found; null for any other server. */
	domain: z
		.object({
			realm: z.string(),
			workgroup: z.string(),
			/** Names of the servers that are its controllers, this one among them. */
			controllers: z.array(z.string()),
			origin: z.enum(domainOrigins),
		})
		.nullable(),
	published: z.array(publishedView),
	/** Servers that it is started after. */
	after: z.array(z.string()),
	recovery: z.object({ mode: z.enum(["cold", "warm"]), attempts: z.int(), withinMs: z.number() }),
	/** How failures of this server are noticed, besides the end of its process. */
	watch: z.array(z.string()),
	session: sessionView.nullable(),
	/** What the next session starts from; null for a server that recovers cold. */
	warm: warmView.nullable(),
	incidents: z.int(),
	/** True when the definition has changed since the session started: the change takes effect with the next one. */
	restartNeeded: z.boolean(),
});
export type ServerView = z.infer<typeof serverView>;
export type PublishedView = z.infer<typeof publishedView>;
export type SessionView = z.infer<typeof sessionView>;
