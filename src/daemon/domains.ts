import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { type AdministerBody, type CreateBody, computerNameSchema } from "../api/domain.ts";
import { BulkheadError } from "../api/errors.ts";
import { formatSize, parseSize } from "../api/units.ts";
import { administer, wordsOfTool } from "../directory/controller/accounts.ts";
import { PasswordRefused, provisionDomain } from "../directory/controller/provision.ts";
import { AgentError } from "../qemu/agent.ts";
import { createDataImage } from "../qemu/image.ts";
import { awaitsDomain, type StoredServer } from "../store/servers.ts";
import { ensureBuilt } from "../templates/build.ts";
import { readTemplate } from "../templates/catalogue.ts";
import type { Context } from "./context.ts";
import { diskFullOr } from "./provision.ts";
import { qemuUid } from "./resolve.ts";
import type { ServerUnit } from "./server-unit.ts";

/** Samba's tool takes a second; under emulation, and beside others, many. */
const toolWithinMs = 300_000;
/** A new domain is 45 MB, and grows. */
const leastBytes = 128 * 2 ** 20;

/**
 * Makes a domain on the data disk of a server that has never been started. When any step fails, nothing has changed.
 * @returns the server with its domain, as it is kept now
 * @throws BulkheadError bad-input, not-allowed-now, disk-full, template-failed
 */
export async function makeDomain(
	stored: StoredServer,
	wanted: CreateBody,
	context: Context,
	signal: AbortSignal,
): Promise<StoredServer> {
	const { disk, address, address6 } = refuseUnfit(stored, wanted);
	const paths = context.paths.server(stored.name);
	const template = await readTemplate(stored.definition.template ?? "");
	const built = await ensureBuilt(template, { cache: context.paths.cache, onStep: () => {}, signal });
	const content = join(paths.making, "content");
	const draft = join(paths.making, "disk.qcow2");
	try {
		await rm(paths.making, { recursive: true, force: true });
		await mkdir(content, { recursive: true, mode: 0o700 });
		const { realm, workgroup, password } = wanted;
		const domain = { realm, workgroup, host: stored.name, address, address6, password };
		await provisionDomain(join(built.folder, "private/root"), content, domain, signal);
		await createDataImage(draft, disk.name, disk.bytes, { owner: qemuUid(stored), content, signal });
		// It was never started: the disk that goes is as empty as it was made.
		await rename(draft, paths.disk(disk.name));
		const made = {
			...stored,
			domain: { realm: realm.toUpperCase(), workgroup: workgroup.toUpperCase() },
		};
		await context.servers.save(made);
		return made;
	} catch (error) {
		if (error instanceof PasswordRefused) throw new BulkheadError("bad-input", `password: ${error.message}`);
		throw diskFullOr(error, paths.folder);
	} finally {
		await rm(paths.making, { recursive: true, force: true });
	}
}

/** A change of users and groups, or a question about them. @returns the names that were asked for */
export async function administerDomain(unit: ServerUnit, wanted: AdministerBody): Promise<string[]> {
	const { name, domain } = unit.stored;
	if (!domain) throw new BulkheadError("not-allowed-now", `${name} is not the controller of a domain`);
	const run = async (command: readonly string[], input?: string) =>
		await unit.runInGuest(command, toolWithinMs, input);
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
	if (!awaitsDomain(stored))
		throw new BulkheadError(
			"not-allowed-now",
			`${name} is the controller of ${domain?.realm} already; a domain is never made over another`,
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
