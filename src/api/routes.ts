import { z } from "zod";
import {
	administerBody,
	administerView,
	createBody,
	createView,
	domainView,
	forgetView,
	joinBody,
	leaveBody,
	leaveView,
	useBody,
	useView,
} from "./domain.ts";
import { eventView } from "./event.ts";
import { guestDisk } from "./guest-disks.ts";
import { examineBody, importView } from "./import.ts";
import { incidentView } from "./incident.ts";
import { keysBody, keysView } from "./keys.ts";
import { planView } from "./plan.ts";
import { publishBody, publishingView, unpublishBody } from "./publish.ts";
import { sandboxView } from "./sandbox.ts";
import { faults, serverView } from "./server.ts";
import { serviceView } from "./service.ts";
import { addShareBody, removeShareView, sharesView } from "./share.ts";
import { trafficView } from "./traffic.ts";
import { windowsIsoView } from "./windows.ts";

/**
 * The daemon's HTTP API, said once: the daemon serves it, the client calls it, the OpenAPI page shows it.
 * Answers that are not JSON have no `answer`: see `stream`.
 */
const server = z.object({ server: z.string() });
const none = z.object({});

export const routes = {
	status: {
		method: "GET",
		path: "/v1/status",
		params: none,
		body: null,
		summary: "The daemon itself",
		answer: z.object({
			version: z.string(),
			pid: z.int(),
			startedAt: z.number(),
			state: z.string(),
			site: z.string().nullable(),
			/** Whether a change of the site is under way. */
			changing: z.boolean(),
			accelerator: z.enum(["kvm", "tcg"]),
		}),
	},
	services: {
		method: "GET",
		path: "/v1/services",
		params: none,
		body: null,
		summary: "The services that can be published by their name alone",
		answer: z.array(serviceView),
	},
	list: {
		method: "GET",
		path: "/v1/servers",
		params: none,
		body: null,
		summary: "All servers",
		answer: z.array(serverView),
	},
	show: {
		method: "GET",
		path: "/v1/servers/:server",
		params: server,
		body: null,
		summary: "One server",
		answer: serverView,
	},
	sandbox: {
		method: "GET",
		path: "/v1/servers/:server/sandbox",
		params: server,
		body: null,
		summary: "Who can reach a server, what it can reach, and why",
		answer: sandboxView,
	},
	traffic: {
		method: "GET",
		path: "/v1/servers/:server/traffic",
		params: server,
		body: null,
		summary: "What went in and out of a server in the last 30 days, who used it, and when last",
		answer: trafficView,
	},
	start: {
		method: "POST",
		path: "/v1/servers/:server/start",
		params: server,
		body: null,
		summary: "Start a server",
		answer: serverView,
	},
	stop: {
		method: "POST",
		path: "/v1/servers/:server/stop",
		params: server,
		summary: "Stop a server: power button, then force after the deadline",
		body: z.object({ deadlineMs: z.int().min(0).max(3_600_000) }),
		answer: serverView,
	},
	restart: {
		method: "POST",
		path: "/v1/servers/:server/restart",
		params: server,
		summary: "Stop a server and start it in a new session",
		body: z.object({ deadlineMs: z.int().min(0).max(3_600_000) }),
		answer: serverView,
	},
	delete: {
		method: "DELETE",
		path: "/v1/servers/:server",
		params: server,
		summary: "Delete a stopped server with all its disks",
		body: z.object({ destroyDisks: z.literal(true) }),
		answer: z.object({ deleted: z.string() }),
	},
	maintenance: {
		method: "POST",
		path: "/v1/servers/:server/maintenance",
		params: server,
		summary: "Suspend or resume judgement of failures",
		body: z.object({ on: z.boolean() }),
		answer: serverView,
	},
	changes: {
		method: "POST",
		path: "/v1/servers/:server/changes",
		params: server,
		summary: "Change a disposable system disk: begin, commit (when stopped) or abandon (when stopped)",
		body: z.object({ what: z.enum(["begin", "commit", "abandon"]) }),
		answer: serverView,
	},
	renew: {
		method: "POST",
		path: "/v1/servers/:server/renew",
		params: server,
		summary: "Put a new session in the place of the one that runs, without anybody noticing",
		body: z.object({ deadlineMs: z.int().min(0).max(3_600_000) }),
		answer: serverView,
	},
	seal: {
		method: "POST",
		path: "/v1/servers/:server/seal",
		params: server,
		body: null,
		summary: "Make the seal of a server anew",
		answer: serverView,
	},
	publish: {
		method: "POST",
		path: "/v1/servers/:server/publish",
		params: server,
		summary:
			"Let a service of a server out while everything runs, until a site file that says otherwise is applied",
		body: publishBody,
		answer: publishingView,
	},
	unpublish: {
		method: "POST",
		path: "/v1/servers/:server/unpublish",
		params: server,
		summary: "Take a published service back; its connections end, no others",
		body: unpublishBody,
		answer: publishingView,
	},
	drill: {
		method: "POST",
		path: "/v1/servers/:server/drill",
		params: server,
		summary: "Make a failure on purpose",
		body: z.object({ fault: z.enum(faults) }),
		answer: z.object({ session: z.int(), at: z.number() }),
	},
	keys: {
		method: "POST",
		path: "/v1/servers/:server/keys",
		params: server,
		summary: "Press keys on a server's keyboard, one after the other",
		body: keysBody,
		answer: keysView,
	},
	eject: {
		method: "POST",
		path: "/v1/servers/:server/eject",
		params: server,
		body: null,
		summary: "Take the discs out of a server's CD drives, for its next sessions too",
		answer: z.object({ server: z.string(), discs: z.array(z.string()) }),
	},
	guestDisks: {
		method: "GET",
		path: "/v1/servers/:server/guest-disks",
		params: server,
		body: null,
		summary: "The disks that a server's guest sees, as its guest agent says",
		answer: z.object({ server: z.string(), disks: z.array(guestDisk) }),
	},
	domain: {
		method: "GET",
		path: "/v1/domain",
		params: none,
		body: null,
		summary: "This host's membership of a domain; null when it is a member of none",
		answer: z.object({ domain: domainView.nullable() }),
	},
	createDomain: {
		method: "POST",
		path: "/v1/servers/:server/domain",
		params: server,
		summary: "Make a new Active Directory domain, of which a server is the controller",
		body: createBody,
		answer: createView,
	},
	useDomain: {
		method: "POST",
		path: "/v1/servers/:server/domain/use",
		params: server,
		summary: "Take a server for the controller of an Active Directory domain that Bulkhead did not make",
		body: useBody,
		answer: useView,
	},
	forgetDomain: {
		method: "POST",
		path: "/v1/servers/:server/domain/forget",
		params: server,
		body: null,
		summary: "Take a server for a controller no more, when Bulkhead did not make its domain",
		answer: forgetView,
	},
	administerDomain: {
		method: "POST",
		path: "/v1/servers/:server/domain/accounts",
		params: server,
		summary: "Ask for or change users and groups of the domain that a server is the controller of",
		body: administerBody,
		answer: administerView,
	},
	joinDomain: {
		method: "POST",
		path: "/v1/domain/join",
		params: none,
		summary: "Make this host a member of a domain",
		body: joinBody,
		answer: domainView,
	},
	leaveDomain: {
		method: "POST",
		path: "/v1/domain/leave",
		params: none,
		summary: "End this host's membership of its domain",
		body: leaveBody,
		answer: leaveView,
	},
	shares: {
		method: "GET",
		path: "/v1/domain/shares",
		params: none,
		body: null,
		summary: "Folders of this host that users of its domain reach; null when it is a member of none",
		answer: z.object({ shares: sharesView.nullable() }),
	},
	addShare: {
		method: "POST",
		path: "/v1/domain/shares",
		params: none,
		summary: "Let users of this host's domain reach one of its folders",
		body: addShareBody,
		answer: sharesView,
	},
	removeShare: {
		method: "DELETE",
		path: "/v1/domain/shares/:share",
		params: z.object({ share: z.string() }),
		body: null,
		summary: "Let nobody reach a shared folder any more; the folder stays as it is",
		answer: removeShareView,
	},
	incidents: {
		method: "GET",
		path: "/v1/incidents",
		params: none,
		body: null,
		summary: "All incidents, newest first",
		answer: z.array(incidentView),
	},
	incident: {
		method: "GET",
		path: "/v1/incidents/:incident",
		params: z.object({ incident: z.string() }),
		body: null,
		summary: "One incident",
		answer: incidentView,
	},
	events: {
		method: "GET",
		path: "/v1/events/last",
		params: none,
		body: null,
		summary: "The last 1,000 events, oldest first",
		answer: z.array(eventView),
	},
	windowsIso: {
		method: "POST",
		path: "/v1/windows-iso",
		params: none,
		summary: "Which Windows an ISO on this host installs, and its editions",
		body: z.object({ path: z.string().regex(/^\/[^\0\n]{1,4000}$/, { error: "must be an absolute path" }) }),
		answer: windowsIsoView,
	},
	plan: {
		method: "POST",
		path: "/v1/site/plan",
		params: none,
		summary: "Check a site file and say what applying it would do",
		body: z.object({ text: z.string().max(1_000_000) }),
		answer: planView,
	},
	examineImport: {
		method: "POST",
		path: "/v1/imports/examine",
		params: none,
		summary:
			"Look at a disk image or the description of a machine that is to become a server; nothing is written",
		body: examineBody,
		answer: importView,
	},
} as const satisfies Record<string, Route>;

interface Route {
	method: "GET" | "POST" | "DELETE";
	path: `/v1/${string}`;
	params: z.ZodObject;
	body: z.ZodType | null;
	answer: z.ZodType;
	summary: string;
}

export type RouteName = keyof typeof routes;
export type Params<R extends RouteName> = z.infer<(typeof routes)[R]["params"]>;
export type Body<R extends RouteName> = (typeof routes)[R]["body"] extends z.ZodType
	? z.infer<(typeof routes)[R]["body"]>
	: null;
export type Answer<R extends RouteName> = z.infer<(typeof routes)[R]["answer"]>;

/** Routes that answer with something else than JSON. */
export const streams = {
	/** `text/event-stream`: each event as `id:` and `data:` (JSON of an event); `?after=ID` or `Last-Event-ID` for those since. */
	events: "/v1/events",
	/** POST `{text, fingerprint, confirmed}`; `application/x-ndjson` of progress lines. */
	apply: "/v1/site/apply",
	/** POST of an `exportBody`; `application/x-ndjson` of progress lines. */
	export: "/v1/servers/:server/export",
	/** `image/png` of the server's screen. */
	screenshot: "/v1/servers/:server/screenshot",
	/** One evidence file of an incident. */
	evidence: "/v1/incidents/:incident/evidence/:file",
	/** Upgrade to `bulkhead-console`: raw bytes of the serial console both ways. */
	console: "/v1/servers/:server/console",
	/** Upgrade to `bulkhead-screen`: the screen, keyboard and pointer both ways, as VNC (RFB, RFC 6143). */
	screen: "/v1/servers/:server/screen",
} as const;

export const applyBody = z.object({
	text: z.string().max(1_000_000),
	fingerprint: z.string(),
	confirmed: z.boolean(),
});

/** Default state directory, and the environment variable that moves it. */
export const defaultState = "/var/lib/bulkhead";
/** The API socket's path; a state directory elsewhere has a socket of its own inside it. */
export function socketPath(stateDirectory: string): string {
	return stateDirectory === defaultState ? "/run/bulkhead/api.sock" : `${stateDirectory}/api.sock`;
}
/** The socket beside it for the group of a domain that may use the API; there while the host's membership has one. */
export function domainSocketPath(apiSocket: string): string {
	return apiSocket.replace(/[^/]*$/, "domain.sock");
}
