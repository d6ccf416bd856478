import { awaitsDomain, type StoredServer } from "../store/servers.ts";

/**
 * Controllers of a domain that was made on several servers, of which a daemon that was killed had written down only the
 * first: their disks had been made and put in place before that. Pure.
 * @returns those servers with their domain
 */
export function unfinishedDomains(servers: readonly StoredServer[]): StoredServer[] {
	return servers.flatMap((server) => {
		const { uuid } = server.installed;
		// By what only it has: a server of the same name that was made anew has an empty disk.
		const other = servers.find(({ domain }) => domain?.madeOn.includes(uuid));
		return other && awaitsDomain(server) ? [{ ...server, domain: other.domain }] : [];
	});
}
