import type { Event } from "../api/event.ts";
import type { Incident } from "../api/incident.ts";
import type { Plan } from "../api/plan.ts";
import type { ServerView } from "../api/server.ts";

/** Made-up data for tests: a site at 2026-03-04 10:00 UTC. */
export const noon = Date.UTC(2026, 2, 4, 10, 0, 0);

export function sampleServer(changes: Partial<ServerView> = {}): ServerView {
	return {
		name: "intranet",
		state: "running",
		reason: "",
		wanted: "running",
		maintenance: false,
		source: "template debian-web",
		memoryBytes: 512 * 2 ** 20,
		cpus: 1,
		guest: "linux",
		firmware: "bios",
		tpm: false,
		discs: [],
		systemDisk: "kept",
		systemBus: "virtio",
		dataDisks: ["files"],
		address: "10.77.0.20",
		domain: null,
		published: [
			{
				service: "http",
				protocol: "http",
				port: 80,
				to: "lan",
				listen: 8080,
				through: "front-door",
				ports: ["tcp 80"],
			},
		],
		after: [],
		recovery: { mode: "cold", attempts: 5, withinMs: 600_000 },
		watch: ["panic device", "silence of 20 s"],
		warm: null,
		changing: false,
		session: {
			number: 8,
			pid: 4711,
			startedAt: noon,
			readyAt: noon + 9400,
			accelerator: "tcg",
			from: "boot",
		},
		incidents: 1,
		restartNeeded: false,
		...changes,
	};
}

export function sampleIncident(changes: Partial<Incident> = {}): Incident {
	return {
		id: "intranet-7",
		server: "intranet",
		session: 7,
		cause: "panic",
		summary: "the kernel of intranet panicked; it runs again in session 8",
		at: noon,
		noticedAt: noon,
		drill: { fault: "panic", at: noon - 31 },
		outcome: "recovered",
		nextSession: 8,
		outageMs: 9871,
		timeline: [
			{ atMs: 0, what: "the guest's panic device reported a panic" },
			{ atMs: 2, what: "connections of users are held" },
			{ atMs: 1480, what: "evidence saved: console, screen, memory" },
			{ atMs: 1530, what: "session 7 ended" },
			{ atMs: 1702, what: "session 8 began to boot" },
			{ atMs: 9840, what: "session 8 answered as ready; connections released" },
		],
		evidence: ["console.txt", "screen.png", "memory.kdump"],
		felt: { requests: 128, held: 126, failed: 2, longestPauseMs: 9902 },
		details: { message: "Kernel panic - not syncing: sysrq triggered crash" },
		...changes,
	};
}

export function sampleEvent(id: number, changes: Partial<Event> = {}): Event {
	return {
		id,
		at: noon + id,
		server: "intranet",
		session: 8,
		kind: "state",
		text: `event ${id}`,
		...changes,
	};
}

export const samplePlan: Plan = {
	site: "office",
	fingerprint: "3f9a",
	segments: ["+ dmz 10.78.0.0/24"],
	changes: [
		{ server: "dc1", kind: "same", differences: [], destroys: [], left: null, restartNeeded: false },
		{
			server: "intranet",
			kind: "change",
			differences: ["memory: 512MiB → 1GiB"],
			destroys: [],
			left: null,
			restartNeeded: true,
		},
		{
			server: "mail",
			kind: "create",
			differences: ["template: debian-web"],
			destroys: [],
			left: null,
			restartNeeded: false,
		},
		{
			server: "old",
			kind: "delete",
			differences: [],
			destroys: ["system disk", "data disk files"],
			left: null,
			restartNeeded: false,
		},
	],
	destructive: true,
};
