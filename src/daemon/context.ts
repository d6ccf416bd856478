import type { GroupSupport } from "../host/cgroup.ts";
import type { Logger } from "../host/log.ts";
import type { AcceleratorChoice } from "../qemu/accelerator.ts";
import type { History } from "../store/history.ts";
import type { IncidentStore } from "../store/incidents.ts";
import { instanceTag, type Paths } from "../store/paths.ts";
import type { ServerStore } from "../store/servers.ts";

/** What every part of the daemon shares; made once, in main.ts. */
export interface Context {
	paths: Paths;
	log: Logger;
	groups: GroupSupport;
	acceleration: AcceleratorChoice;
	history: History;
	incidents: IncidentStore;
	servers: ServerStore;
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

/** Parents of the groups of all sessions and of all front doors: apart, so that no name of a server can mean both. */
export function groupParents(paths: Paths): { sessions: string; doors: string } {
	const root = groupRoot(paths);
	return { sessions: `${root}/sessions`, doors: `${root}/doors` };
}

export function sessionGroup(paths: Paths, server: string, number: number): string {
	return `${groupParents(paths).sessions}/${server}-${number}`;
}

export function doorGroup(paths: Paths, server: string): string {
	return `${groupParents(paths).doors}/${server}`;
}
