import { createHash } from "node:crypto";
import { join } from "node:path";
import { defaultState, domainSocketPath, socketPath } from "../api/routes.ts";

/** Every file and folder that Bulkhead keeps, in one place. */
export interface Paths {
	state: string;
	/** Sockets and other things that do not outlive the host's boot. */
	run: string;
	/** Folders of sockets: of sessions and of front doors, apart, so that no name of a server can mean both. */
	runSessions: string;
	runDoors: string;
	/** Folders of those who answer servers' questions for names. */
	runNames: string;
	/** Files of what tells all servers their addresses. */
	leases: string;
	/** Name of the network namespace that the daemon has made, or is about to make. */
	namespace: string;
	/** What the names in servers' `outbound:` stand for. */
	followed: string;
	cache: string;
	apiSocket: string;
	/** For the group of a domain that may use the API. */
	domainSocket: string;
	lock: string;
	history: string;
	site: string;
	servers: string;
	/** How this host is a member of a domain; root's alone. */
	domain: string;
	server(name: string): ServerPaths;
	/** Sockets of one session; its path is short, because a unix socket's path has 107 characters at most. */
	sockets(server: string, session: number): string;
	/** Files of one server's front doors: a folder for each, named by the port of the host that it listens on. */
	door(server: string): string;
	/** Files of what answers one server's questions for names. */
	names(server: string): string;
}

export interface ServerPaths {
	folder: string;
	definition: string;
	/** There as long as the server is being made, and from when it is being deleted. */
	unfinished: string;
	/** There from when a server is made until it was started for the first time. */
	unstarted: string;
	/** Data disks that are being added or taken away, as long as they are: JSON, a list of names. */
	changing: string;
	record: string;
	disks: string;
	disk(name: string): string;
	/** What is being changed of a disposable system disk. */
	changes: string;
	boot: string;
	/** Variables of its UEFI. */
	firmware: string;
	/** What its installer is told, with passwords; root's alone. */
	answers: string;
	/** State of its TPM. */
	tpm: string;
	/** There while a domain is being made for it; root's alone. */
	making: string;
	/** Device nodes of its own; not below /run, where most systems let no device be opened. */
	device(name: string): string;
	incidents: string;
	/** One folder a session, named by its number. */
	sessions: string;
	session(number: number): SessionPaths;
	incident(id: string): IncidentPaths;
	/** What its sessions start from, when it recovers warm. */
	seal: SealPaths;
}

export interface SealPaths {
	folder: string;
	manifest: string;
	ram: string;
	state: string;
	/** The frozen overlay of the system disk. */
	system: string;
}

export interface SessionPaths {
	folder: string;
	argv: string;
	/** The only part that the session itself can write to. */
	own: string;
	console: string;
	/** QEMU's own messages. */
	output: string;
	/** bubblewrap's account of the process that it started. */
	launch: string;
	/** The same of its TPM's process, and what that said. */
	tpmLaunch: string;
	tpmOutput: string;
	/** The throw-away overlay of a disposable system disk. */
	overlay: string;
	/** A dump of the guest's memory, until it is taken away. */
	dump: string;
}

export interface IncidentPaths {
	folder: string;
	file: string;
	evidence(name: string): string;
}

/** Distinguishes what several daemons on one machine keep outside of their state directories. */
export function instanceTag(state: string): string {
	return state === defaultState ? "" : createHash("sha256").update(state).digest("hex").slice(0, 6);
}

export function paths(state: string, cache: string): Paths {
	const tag = instanceTag(state);
	const run = tag ? `/run/bulkhead-${tag}` : "/run/bulkhead";
	const servers = join(state, "servers");
	return {
		state,
		run,
		runSessions: join(run, "s"),
		runDoors: join(run, "d"),
		runNames: join(run, "n"),
		leases: join(run, "leases"),
		namespace: join(run, "namespace"),
		followed: join(run, "followed.json"),
		cache,
		apiSocket: socketPath(state),
		domainSocket: domainSocketPath(socketPath(state)),
		lock: join(state, "lock"),
		history: join(state, "history.sqlite"),
		site: join(state, "site.yaml"),
		servers,
		domain: join(state, "domain"),
		server: (name) => serverPaths(join(servers, name)),
		sockets: (server, session) => join(run, "s", `${server}-${session}`),
		door: (server) => join(run, "d", server),
		names: (server) => join(run, "n", server),
	};
}

function serverPaths(folder: string): ServerPaths {
	const disks = join(folder, "disks");
	const incidents = join(folder, "incidents");
	const sessions = join(folder, "sessions");
	return {
		folder,
		definition: join(folder, "server.yaml"),
		unfinished: join(folder, "unfinished"),
		unstarted: join(folder, "unstarted"),
		changing: join(folder, "changing.json"),
		record: join(folder, "record.json"),
		disks,
		disk: (name) => join(disks, `${name}.qcow2`),
		// Not below disks/, where a data disk may have any name.
		changes: join(folder, "changes.qcow2"),
		boot: join(folder, "boot"),
		firmware: join(folder, "firmware"),
		answers: join(folder, "answers"),
		tpm: join(folder, "tpm"),
		making: join(folder, "domain.making"),
		device: (name) => join(folder, `device-${name}`),
		incidents,
		sessions,
		seal: sealPaths(join(folder, "seal")),
		session: (number) => sessionPaths(join(sessions, String(number))),
		incident: (id) => {
			const own = join(incidents, id);
			return { folder: own, file: join(own, "incident.json"), evidence: (name) => join(own, name) };
		},
	};
}

function sealPaths(folder: string): SealPaths {
	return {
		folder,
		manifest: join(folder, "seal.json"),
		ram: join(folder, "ram"),
		state: join(folder, "state"),
		system: join(folder, "system.qcow2"),
	};
}

function sessionPaths(folder: string): SessionPaths {
	const own = join(folder, "own");
	return {
		folder,
		argv: join(folder, "argv.json"),
		own,
		console: join(own, "console.log"),
		output: join(folder, "qemu.log"),
		launch: join(folder, "launch.json"),
		tpmLaunch: join(folder, "tpm.json"),
		tpmOutput: join(folder, "tpm.log"),
		overlay: join(own, "system.qcow2"),
		dump: join(own, "memory.dump"),
	};
}
