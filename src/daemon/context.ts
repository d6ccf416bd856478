import type { GroupSupport } from "../host/cgroup.ts";
import type { Logger } from "../host/log.ts";
import type { AcceleratorChoice } from "../qemu/accelerator.ts";
import type { History } from "../store/history.ts";
import type { IncidentStore } from "../store/incidents.ts";
import { instanceTag, type Paths } from "../store/paths.ts";
import type { ServerStore } from "../store/servers.ts";
import type { ScreenReader } from "./parts/screen-reader.ts";

/** What every part of the daemon shares; made once, in main.ts. */
export interface Context {
	paths: Paths;
	log: Logger;
	groups: GroupSupport;
	acceleration: AcceleratorChoice;
	history: History;
	incidents: IncidentStore;
	servers: ServerStore;
	/** Reads what stands on servers' screens. */
	screens: ScreenReader;
	/** This boot of the host. */
	bootId: string;
}

/** Name of a site's network namespace; daemons beside each other have namespaces of their own. */
export function namespaceOf(paths: Paths, site: string): string {
	const tag = instanceTag(paths.state);
	return tag ? `bh-${tag}-${site}` : `bh-${site}`;
}

/** Control group of everything that this daemon starts. */
export function groupRoot(paths: Paths): string {
	const tag = instanceTag(paths.state);
	return tag ? `bulkhead-${tag}` : "bulkhead";
}

/** Control group of the host's own membership of a domain: not among those of servers, whose last one takes them along. */
export function domainGroup(paths: Paths): string {
	return `${groupRoot(paths)}-domain`;
}

/** Of what asks its controllers for names: winbindd's goes whenever that is begun again. */
export function domainNamesGroup(paths: Paths): string {
	return `${domainGroup(paths)}-names`;
}

/** Of what serves folders of the host to users of its domain. */
export function domainSharesGroup(paths: Paths): string {
	return `${domainGroup(paths)}-shares`;
}

/** Interface by which systemd-resolved is told whom to ask for the domain's names. */
export function domainLink(paths: Paths): string {
	const tag = instanceTag(paths.state);
	return tag ? `bhdns-${tag}` : "bhdns";
}

/**
 * Groups of sessions and front doors lie beside each other, as an `idle` one yields only to those beside it. No name of a
 * server has a dot in it, so that none can mean both.
 */
const kinds = { session: "session.", door: "door.", names: "names." } as const;

export function sessionGroup(paths: Paths, server: string, number: number): string {
	return `${groupRoot(paths)}/${kinds.session}${server}-${number}`;
}

/** @param listen port on the host of the service that it lets out */
export function doorGroup(paths: Paths, server: string, listen: number): string {
	return `${groupRoot(paths)}/${kinds.door}${server}.${listen}`;
}

export function namesGroup(paths: Paths, server: string): string {
	return `${groupRoot(paths)}/${kinds.names}${server}`;
}

/** Of what tells all servers of the site their addresses. */
export function leasesGroup(paths: Paths): string {
	return `${groupRoot(paths)}/leases`;
}

export type GroupOwner =
	| { kind: "session" | "names"; server: string }
	/** `listen` is undefined for one of an earlier version, which let all services out together. */
	| { kind: "door"; server: string; listen: number | undefined };

/** @returns the server that a group below `groupRoot` is of, and of what kind it is; undefined for a name of nobody's */
export function groupOwner(name: string): GroupOwner | undefined {
	const [, door, listen] = /^door\.([^.]+)(?:\.(\d+))?$/.exec(name) ?? [];
	if (door !== undefined)
		return { kind: "door", server: door, listen: listen === undefined ? undefined : Number(listen) };
	const asking = /^names\.([^.]+)$/.exec(name)?.[1];
	if (asking !== undefined) return { kind: "names", server: asking };
	const server = /^session\.(.+)-\d+$/.exec(name)?.[1];
	return server === undefined ? undefined : { kind: "session", server };
}
