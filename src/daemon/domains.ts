import { mkdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type AdministerBody, type CreateBody, computerNameSchema } from "../api/domain.ts";
import { BulkheadError } from "../api/errors.ts";
import { formatSize, parseSize } from "../api/units.ts";
import { type Answered, administer, type RunInGuest, wordsOfTool } from "../directory/controller/accounts.ts";
import { PasswordRefused, provisionDomain } from "../directory/controller/provision.ts";
import { syncFile, syncFolder } from "../host/files.ts";
import { AgentError } from "../qemu/agent.ts";
import { createDataImage } from "../qemu/image.ts";
import { awaitsDomain, type StoredServer } from "../store/servers.ts";
import { ensureBuilt } from "../templates/build.ts";
import { readTemplate } from "../templates/catalogue.ts";
import type { Context } from "./context.ts";
import { diskFullOr, markUnstarted } from "./provision.ts";
import { qemuUid } from "./resolve.ts";
import type { ServerUnit } from "./server-unit.ts";

/** Samba's tool takes a second; under emulation, and beside others, many. */
const toolWithinMs = 300_000;
/** A new domain is 45 MB, and grows. */
const leastBytes = 128 * 2 ** 20;

/** Servers on which a domain is made, the first controller first. */
type Chosen = readonly [StoredServer, ...StoredServer[]];

/**
 * Makes a domain on the data disks of servers that have never been started. When any step fails, nothing has changed.
 * @param reaches whether one server may open a port of another
 * @returns the servers with their domain, as they are kept now
 * @throws BulkheadError bad-input, not-allowed-now, disk-full, template-failed
 */
export async function makeDomain(
	chosen: Chosen,
	wanted: CreateBody,
	{ context, reaches, signal }: { context: Context; reaches: Reaches; signal: AbortSignal },
): Promise<StoredServer[]> {
	for (const stored of chosen) refuseUnfit(stored, wanted);
	refuseStrangers(chosen, reaches);
	const template = await readTemplate(chosen[0].definition.template ?? "");
	const built = await ensureBuilt(template, { cache: context.paths.cache, onStep: () => {}, signal });
	const [first, ...others] = chosen.map((stored) => {
		const { address, address6 } = refuseUnfit(stored, wanted);
		return { host: stored.name, address, address6, folder: contentOf(stored, context) };
	});
	if (!first) throw new RangeError("a domain has a controller");
	try {
		for (const { folder } of [first, ...others]) {
			await rm(dirname(folder), { recursive: true, force: true });
			await mkdir(folder, { recursive: true, mode: 0o700 });
		}
		const { realm, workgroup, password } = wanted;
		const domain = { realm, workgroup, password, controllers: [first, ...others] } as const;
		await provisionDomain(join(built.folder, "private/root"), domain, signal);
		for (const stored of chosen) await makeDisk(stored, wanted, context, signal);
		return await keep(chosen, wanted, context);
	} catch (error) {
		if (error instanceof PasswordRefused) throw new BulkheadError("bad-input", `password: ${error.message}`);
		throw diskFullOr(error, context.paths.servers);
	} finally {
		for (const { folder } of [first, ...others]) await rm(dirname(folder), { recursive: true, force: true });
	}
}

function contentOf({ name }: StoredServer, { paths }: Context): string {
	return join(paths.server(name).making, "content");
}

async function makeDisk(
	stored: StoredServer,
	wanted: CreateBody,
	context: Context,
	signal: AbortSignal,
): Promise<void> {
	const { disk } = refuseUnfit(stored, wanted);
	const content = contentOf(stored, context);
	const draft = join(dirname(content), "disk.qcow2");
	await createDataImage(draft, disk.name, disk.bytes, { owner: qemuUid(stored), content, signal });
}

/** They were never started: the disks that go are as empty as they were made, also should the rest not be done. */
async function keep(chosen: Chosen, wanted: CreateBody, context: Context): Promise<StoredServer[]> {
	const domain = {
		realm: wanted.realm.toUpperCase(),
		workgroup: wanted.workgroup.toUpperCase(),
		controllers: chosen.map(({ name }) => name),
		madeOn: chosen.map(({ installed }) => installed.uuid),
		origin: "made",
	} as const;
	// All disks first, and for good: from the first server that knows it has a domain on, they are what the domain is.
	for (const stored of chosen) {
		const paths = context.paths.server(stored.name);
		const disk = paths.disk(refuseUnfit(stored, wanted).disk.name);
		await rename(join(paths.making, "disk.qcow2"), disk);
		await syncFile(disk);
		await syncFolder(dirname(disk));
	}
	const made = chosen.map((stored) => ({ ...stored, domain }));
	await saveMade(chosen, made, context);
	return made;
}

/**
 * As `saveTogether`, of servers that are to be started next: should the daemon be killed before, the next one does that.
 * Those marks are taken away again by `begin`.
 */
export async function saveMade(
	before: readonly StoredServer[],
	made: readonly StoredServer[],
	context: Context,
): Promise<void> {
	try {
		for (const { name } of made) await markUnstarted(context.paths.server(name));
		await saveTogether(before, made, context);
	} catch (error) {
		await unmark(made, context);
		throw error;
	}
}

/** They are not started by themselves any more. */
export async function unmark(servers: readonly StoredServer[], { paths }: Context): Promise<void> {
	for (const { name } of servers) await rm(paths.server(name).unstarted, { force: true });
}

/** All of them or none: none is a controller of a domain whose others are not there. @param before as they are kept */
export async function saveTogether(
	before: readonly StoredServer[],
	changed: readonly StoredServer[],
	{ servers }: Context,
): Promise<void> {
	try {
		for (const one of changed) await servers.save(one);
	} catch (error) {
		for (const one of before) await servers.save(one);
		throw error;
	}
}

/** Whether one server may open a TCP port of another. */
export type Reaches = (from: StoredServer, to: StoredServer, port: number) => boolean;

/** LDAP, what says at which port each RPC service is, and the first of those: all of replication. */
const replicationPorts = [389, 135, 49_152];

/** @throws BulkheadError bad-input when controllers could not replicate with each other */
function refuseStrangers(chosen: Chosen, reaches: Reaches): void {
	for (const to of chosen)
		for (const from of chosen) {
			if (from === to || replicationPorts.every((port) => reaches(from, to, port))) continue;
			const entry = `{ from: ${from.name}, service: active-directory }`;
			throw new BulkheadError(
				"bad-input",
				`servers.${to.name}.allow: ${from.name} has to reach it, as controllers tell each other what changes; add ${entry} and apply the changed site first`,
			);
		}
}

/** A change of users and groups, or a question about them or the directory. @throws BulkheadError */
export async function administerDomain(unit: ServerUnit, wanted: AdministerBody): Promise<Answered> {
	const { name, domain } = unit.stored;
	if (!domain) throw new BulkheadError("not-allowed-now", `${name} is not the controller of a domain`);
	if (domain.origin === "found")
		throw new BulkheadError(
			"not-allowed-now",
			`${domain.realm} was not made by Bulkhead: ${name} is managed with its own tools, on it or from a member (Windows: "Active Directory Users and Computers", Get-ADUser, dcdiag, repadmin; Samba: samba-tool)`,
		);
	const run: RunInGuest = async (command, options) => await unit.runInGuest(command, toolWithinMs, options);
	return await administer(wanted, run).catch((error: unknown) => {
		if (!(error instanceof AgentError)) throw error;
		throw new BulkheadError("bad-input", `${name}: ${wordsOfTool(error.message)}`, { cause: error });
	});
}

interface Fit {
	disk: { name: string; bytes: number };
	address: string;
	address6: string | null;
}

function refuseUnfit(stored: StoredServer, { workgroup }: CreateBody): Fit {
	const { name, installed, definition, domain } = stored;
	const refuse = (field: string, message: string): never => {
		throw new BulkheadError(
			"bad-input",
			`servers.${name}.${field}: ${message}; apply the changed site first`,
		);
	};
	if (installed.domainDisk === null)
		throw new BulkheadError(
			"not-allowed-now",
			`${name} is none that a domain can be made on; give one the template debian-domain-controller`,
		);
	if (domain)
		throw new BulkheadError(
			"not-allowed-now",
			`${name} is the controller of ${domain.realm} already; a domain is never made over another`,
		);
	if (!awaitsDomain(stored))
		throw new BulkheadError(
			"not-allowed-now",
			`data disk ${installed.domainDisk} of ${name} came from an image, with the domain that is on it; a domain is never made over another. Start ${name}, let it out to this host, and say: bulkhead domain use ${name} --realm REALM`,
		);
	if (!computerNameSchema.safeParse(name).success)
		throw new BulkheadError(
			"not-allowed-now",
			`a controller's name in its domain has 15 characters at most, and not digits alone: ${name} is none; make the server under another name`,
		);
	if (workgroup.toUpperCase() === name.toUpperCase())
		throw new BulkheadError(
			"bad-input",
			`workgroup: a domain cannot be called ${workgroup.toUpperCase()} as its controller is; give another with --workgroup`,
		);
	const { network } = definition;
	if (!network)
		return refuse("network", "a domain controller needs an address, which is written into its domain");
	const disk = definition.data?.find((disk) => disk.name === installed.domainDisk);
	if (!disk) return refuse("data", `it needs a data disk ${installed.domainDisk}, for all of its domain`);
	const bytes = parseSize(disk.size) ?? 0;
	if (bytes < leastBytes)
		throw new BulkheadError(
			"not-allowed-now",
			`data disk ${disk.name} of ${name} has ${disk.size}, and a domain needs ${formatSize(leastBytes)}; make the server anew with a larger one`,
		);
	return { disk: { name: disk.name, bytes }, address: network.address, address6: network.address6 ?? null };
}
