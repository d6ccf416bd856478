import { networkInterfaces } from "node:os";
import { dnsAddress } from "../../../api/domain.ts";
import { BulkheadError, explain } from "../../../api/errors.ts";
import { CommandError, run } from "../../../host/command.ts";

/**
 * systemd-resolved asks name servers of its own configuration for every name, whatever domains stand beside them there: with
 * the controllers among them, one was seen to answer for a name of others. Those of a link it asks for the link's domains alone
 * (resolved-dns-scope.c, dns_scope_is_default_route). So it gets a link that leads nowhere, for which it asks at a loopback address.
 */

/** RFC 7600: the dummy address. Without one the link counts as not in use. */
const linkAddress = "192.0.0.8";
const deadlineMs = 5000;

/** @throws BulkheadError when it is not there to be told */
export async function requireResolved(): Promise<void> {
	await run("resolvectl", ["status"], { deadlineMs }).catch((error: unknown) => {
		throw new BulkheadError(
			"not-allowed-now",
			`dns: /etc/resolv.conf is systemd-resolved's, which does not answer (${explain(error)}); as root: systemctl start systemd-resolved`,
			{ cause: error },
		);
	});
}

/** Has it ask ours for a domain's names, and for no others. @param link name of an interface; made when it is not there */
export async function leadResolved(link: string, realm: string): Promise<void> {
	const domain = `~${realm.toLowerCase()}`;
	if (!isThere(link)) await makeLink(link);
	else if ((await told("dns", link)) === dnsAddress && (await told("domain", link)) === domain) return;
	const settings = {
		...{ dns: dnsAddress, domain, "default-route": "no" },
		// What the host has for others does not fit a domain of its own.
		...{ llmnr: "no", mdns: "no", dnssec: "no", dnsovertls: "no" },
	};
	for (const [name, value] of Object.entries(settings))
		await run("resolvectl", [name, link, value], { deadlineMs });
}

/** It forgets all about it with the link. */
export async function releaseResolved(link: string): Promise<void> {
	await run("ip", ["link", "del", link], { deadlineMs }).catch((error: unknown) => {
		if (!(error instanceof CommandError) || !error.stderr.includes("Cannot find device")) throw error;
	});
}

/** As in `Link 5 (bhdns): ~ad.example.com`. */
async function told(what: "dns" | "domain", link: string): Promise<string> {
	const { stdout } = await run("resolvectl", [what, link], { deadlineMs });
	return stdout.slice(stdout.indexOf("):") + 2).trim();
}

function isThere(link: string): boolean {
	return networkInterfaces()[link]?.some(({ address }) => address === linkAddress) ?? false;
}

/** Both ends of a cable here: not every kernel has interfaces of the kind dummy. */
async function makeLink(link: string): Promise<void> {
	await releaseResolved(link);
	const end = `${link}e`;
	const ip = async (...words: string[]) => await run("ip", words, { deadlineMs });
	try {
		await ip("link", "add", link, "type", "veth", "peer", "name", end);
		for (const one of [link, end]) await ip("link", "set", one, "addrgenmode", "none", "up");
		await ip("address", "add", `${linkAddress}/32`, "dev", link);
	} catch (error) {
		await releaseResolved(link);
		throw error;
	}
}
