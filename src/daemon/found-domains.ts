import type { UseBody } from "../api/domain.ts";
import { BulkheadError, explain } from "../api/errors.ts";
import { addressesInDns, type ControllerIdentity, identify } from "../directory/controller/identity.ts";
import { awaitsDomain, type StoredServer } from "../store/servers.ts";
import type { Context } from "./context.ts";
import { type Published, publishedBy } from "./published.ts";
import type { ServerUnit } from "./server-unit.ts";

/** What clients ask a controller first, and so does this. */
const ldap = 389;

/**
 * Domains that Bulkhead did not make: a Windows server's, above all. Their controllers are servers of the site that somebody
 * has made controllers, with tools of their own; from here on Bulkhead knows of it.
 */

/**
 * Asks servers whether they are controllers of one domain, and nobody is believed without. Nothing changes.
 * @param all the servers of the site
 * @returns those of them that change, with their domain
 * @throws BulkheadError bad-input, not-allowed-now, host-lacks
 */
export async function findDomain(
	units: readonly ServerUnit[],
	all: readonly StoredServer[],
	wanted: UseBody,
	{ context, signal }: { context: Context; signal: AbortSignal },
): Promise<StoredServer[]> {
	const realm = wanted.realm.toUpperCase();
	const named = units.map(({ stored }) => stored);
	refuseUnnamed(named, all, realm);
	for (const unit of units) refuseUnfit(unit, realm);
	const found: ControllerIdentity[] = [];
	for (const { stored } of units) {
		const identity = await askOne(stored, realm, context, signal);
		refuseAnother(stored, identity, wanted, found[0]);
		found.push(identity);
	}
	const [first] = found;
	if (!first) throw new RangeError("no server is named");
	return withDomain(named, first);
}

/** As they are kept once Bulkhead knows; pure. @param named all controllers of the domain in this site */
export function withDomain(
	named: readonly StoredServer[],
	{ realm, workgroup }: { realm: string; workgroup: string },
): StoredServer[] {
	const controllers = named.map(({ name }) => name);
	return named.map((stored) => ({
		...stored,
		domain: { madeOn: [], origin: originOf(stored), realm, workgroup, ...stored.domain, controllers },
	}));
}

/** One that came back from an export is managed as it was before. */
function originOf({ installed }: StoredServer): "made" | "found" {
	return installed.domainDisk === null ? "found" : "made";
}

/**
 * As they are kept when one is a controller no more; pure.
 * @param all the servers of the site
 * @returns those of them that change, the forgotten one first
 * @throws BulkheadError not-allowed-now
 */
export function withoutDomain(stored: StoredServer, all: readonly StoredServer[]): StoredServer[] {
	const { name, domain } = stored;
	if (!domain)
		throw new BulkheadError(
			"not-allowed-now",
			`${name} is the controller of no domain that Bulkhead knows of`,
		);
	if (domain.origin === "made")
		throw new BulkheadError(
			"not-allowed-now",
			`${domain.realm} was made by Bulkhead and is all that ${name} has on its data disk; to be rid of it, delete the server`,
		);
	return [{ ...stored, domain: null }, ...withoutController(stored, all)];
}

/** @returns the others of a controller's domain, as they are kept when they are controllers without it; pure */
export function withoutController(
	{ name, domain }: StoredServer,
	all: readonly StoredServer[],
): StoredServer[] {
	if (!domain) return [];
	return all.flatMap((other) => {
		if (other.name === name || !isOfSame(other, domain)) return [];
		const controllers = other.domain.controllers.filter((one) => one !== name);
		return [{ ...other, domain: { ...other.domain, controllers } }];
	});
}

type WithDomain = StoredServer & { domain: NonNullable<StoredServer["domain"]> };

function isOfSame(server: StoredServer, { realm }: { realm: string }): server is WithDomain {
	return server.domain?.realm === realm;
}

/** Each has to know all others: who is away yields to those. */
function refuseUnnamed(named: readonly StoredServer[], all: readonly StoredServer[], realm: string): void {
	const names = named.map(({ name }) => name);
	const other = all.find((one) => isOfSame(one, { realm }) && !names.includes(one.name));
	if (!other) return;
	throw new BulkheadError(
		"bad-input",
		`${other.name} is a controller of ${realm}, too; name all of them: bulkhead domain use ${[other.name, ...names].join(" ")} --realm ${realm.toLowerCase()}`,
	);
}

function refuseUnfit({ stored, record }: ServerUnit, realm: string): void {
	const { name, domain, definition } = stored;
	const refuse = (message: string): never => {
		throw new BulkheadError("not-allowed-now", message);
	};
	if (domain && domain.realm !== realm)
		refuse(
			domain.origin === "made"
				? `${name} is the controller of ${domain.realm}, which was made by Bulkhead, and never of another`
				: `${name} is the controller of ${domain.realm}; if it is no more: bulkhead domain forget ${name}`,
		);
	if (awaitsDomain(stored))
		refuse(
			`${name} has no domain yet; to make one: bulkhead domain create ${name} --realm ${realm.toLowerCase()}`,
		);
	if (!definition.network)
		refuse(
			`servers.${name}.network: clients find a controller by its address, and it has none; apply the changed site first`,
		);
	if (!isLetOut(stored))
		refuse(
			`${name} is not let out to this host, so that nobody can ask it: bulkhead publish ${name} active-directory --to host`,
		);
	if (record.state !== "running") refuse(`${name} is ${record.state}, and has to be asked; start it first`);
}

/** At its own address, by whatever service: another one would be told to nobody by the domain's DNS. */
function isLetOut(stored: StoredServer): boolean {
	const passes = (ports: Published["ports"], wanted: "tcp" | "udp") =>
		ports === "everything" ||
		ports.some(({ protocol, first, last }) => protocol === wanted && first <= ldap && ldap <= last);
	const open = publishedBy(stored).filter(({ through }) => through === "address");
	return (["tcp", "udp"] as const).every((protocol) => open.some(({ ports }) => passes(ports, protocol)));
}

async function askOne(
	{ name, definition }: StoredServer,
	realm: string,
	{ paths }: Context,
	signal: AbortSignal,
): Promise<ControllerIdentity> {
	const address = definition.network?.address ?? "";
	// Goes with the next daemon, too.
	const scratch = paths.server(name).making;
	const identity = await identify(scratch, realm, address, signal).catch((error: unknown) => {
		if (!(error instanceof BulkheadError)) throw error;
		throw new BulkheadError(error.code, `${name}: ${explain(error)}`, { cause: error });
	});
	const known = await addressesInDns(identity.host, address);
	if (known.includes(address)) return identity;
	throw new BulkheadError(
		"bad-input",
		`servers.${name}.network.address: it is ${address}, and its domain's clients are told that ${identity.host} is ${known.join(", ") || "nowhere"}; give one of them the address of the other (on Windows: Register-DnsRecord, once it has the right one)`,
	);
}

function refuseAnother(
	{ name }: StoredServer,
	{ realm, workgroup, domainId }: ControllerIdentity,
	wanted: UseBody,
	first: ControllerIdentity | undefined,
): void {
	const refuse = (message: string): never => {
		throw new BulkheadError("bad-input", message);
	};
	if (realm !== wanted.realm.toUpperCase())
		refuse(`realm: ${name} is a controller of ${realm}, not of ${wanted.realm.toUpperCase()}`);
	if (wanted.workgroup !== null && workgroup !== wanted.workgroup.toUpperCase())
		refuse(`workgroup: ${name} calls its domain ${workgroup}, not ${wanted.workgroup.toUpperCase()}`);
	if (first && first.domainId !== domainId)
		refuse(`${name} is the controller of another domain, which is called ${realm} as well`);
}
