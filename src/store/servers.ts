import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { z } from "zod";
import { domainOrigins } from "../api/domain.ts";
import { BulkheadError } from "../api/errors.ts";
import { guestNames } from "../api/guest.ts";
import { serverSchema } from "../api/site.ts";
import { listIfThere, readIfThere, writeFileAtomic } from "../host/files.ts";
import type { Paths } from "./paths.ts";

/** What a server was made with, so that it runs on when its template changes or is gone. */
const installedSchema = z.object({
	/** Number of the server among those of this daemon, from 1: its tap's name derives from it. */
	index: z.int(),
	/** User that its sessions run as; its front door has the next one. */
	uid: z.int(),
	uuid: z.string(),
	/** `template tiny 0123abcd`, or `image /path`. */
	source: z.string(),
	boot: z.discriminatedUnion("kind", [
		z.object({ kind: z.literal("kernel"), append: z.string() }),
		z.object({ kind: z.literal("disk") }),
	]),
	agent: z.boolean(),
	memoryBytes: z.number(),
	cpus: z.int(),
	systemDisk: z.enum(["kept", "disposable"]),
	systemBytes: z.number(),
	/** What it runs, unless its site says otherwise; servers of earlier versions had what suits Linux. */
	guest: z.enum(guestNames).default("linux"),
	/** The data disk that a domain has to be made on before it starts for the first time. */
	domainDisk: z.string().nullable().default(null),
	/** The template's services, by name. */
	services: z.record(
		z.string(),
		z.object({
			port: z.int(),
			protocol: z.enum(["http", "tcp"]),
			healthPath: z.string().nullable(),
			rehearse: z.array(z.string()).default([]),
		}),
	),
});

const storedSchema = z.object({
	/** Name of the site, and networks of its segment, when it has one. */
	site: z.string(),
	subnet: z.string().nullable(),
	subnet6: z.string().nullable().default(null),
	/** Its segment is the network at this interface of the host, with this router. */
	lan: z.object({ interface: z.string(), gateway: z.string() }).nullable().default(null),
	definition: serverSchema,
	installed: installedSchema,
	/** Files on this host that were taken out of its CD drives as discs: its next sessions have them no more. */
	ejected: z.array(z.string()).default([]),
	/** Names of data disks that were made from an image, which may hold anything. */
	filled: z.array(z.string()).default([]),
	/** The domain that it is a controller of: made here, on its data disk, or found. */
	domain: z
		.object({
			realm: z.string(),
			workgroup: z.string(),
			/** Names of the servers that are its controllers, this one too. */
			controllers: z.array(z.string()).default([]),
			/** `uuid` of those that it was made on, this one's too; none of a domain that was found. */
			madeOn: z.array(z.string()).default([]),
			origin: z.enum(domainOrigins).default("made"),
		})
		.nullable()
		.default(null),
});

/** A server as it is kept: servers/NAME/server.yaml. */
export type StoredServer = z.infer<typeof storedSchema> & { name: string };
export type Installed = z.infer<typeof installedSchema>;

/** Whether it has nothing to start with: see `domainDisk`. One that came from an image may hold a domain already. */
export const awaitsDomain = ({ installed, domain, filled }: StoredServer) =>
	installed.domainDisk !== null && domain === null && !filled.includes(installed.domainDisk);

/** @returns names of those of these data disks that come from an image */
export function filledOf(disks: NonNullable<StoredServer["definition"]["data"]>): string[] {
	return disks.filter(({ image }) => image !== undefined).map(({ name }) => name);
}

/** Whether other servers are controllers of its domain as well, and do its work while it is away. */
export const isOneOfSeveral = ({ domain }: StoredServer) => (domain?.controllers.length ?? 0) > 1;

/** A server whose files cannot be believed, and why. */
export interface DamagedServer {
	name: string;
	error: unknown;
}

export class ServerStore {
	private readonly paths: Paths;

	constructor(paths: Paths) {
		this.paths = paths;
	}

	async save({ name, ...stored }: StoredServer): Promise<void> {
		await writeFileAtomic(this.paths.server(name).definition, stringify(stored));
	}

	/** @returns all servers that were completely made, by name, and what is wrong with those that cannot be read */
	async list(): Promise<{ servers: StoredServer[]; damaged: DamagedServer[] }> {
		const servers: StoredServer[] = [];
		const damaged: DamagedServer[] = [];
		for (const name of await this.names()) {
			try {
				const stored = await this.load(name);
				if (stored) servers.push(stored);
			} catch (error) {
				damaged.push({ name, error });
			}
		}
		return { servers, damaged };
	}

	/**
	 * @returns `installed.index` of all servers of which anything is there, also of one whose deletion stopped half-way; none of
	 * one that cannot be read
	 */
	async usedIndexes(): Promise<number[]> {
		const used: number[] = [];
		for (const name of await this.names()) {
			const { definition, unfinished } = this.paths.server(name);
			for (const file of [definition, unfinished]) used.push(...(await indexIn(file)));
		}
		return used;
	}

	/** @returns the names of all folders of servers, whatever is in them; a file beside them is none of ours */
	async names(): Promise<string[]> {
		const found: string[] = [];
		for (const name of await listIfThere(this.paths.servers)) {
			if (!(await lstat(join(this.paths.servers, name))).isFile()) found.push(name);
		}
		return found;
	}

	private async load(name: string): Promise<StoredServer | undefined> {
		const file = this.paths.server(name).definition;
		const text = await readIfThere(file);
		return text === undefined ? undefined : { name, ...read(text, file) };
	}
}

/** One that is being made has no definition yet; what marks it is for people. */
async function indexIn(file: string): Promise<number[]> {
	try {
		const text = await readIfThere(file);
		return text === undefined ? [] : [read(text, file).installed.index];
	} catch {
		return [];
	}
}

function read(text: string, file: string): Omit<StoredServer, "name"> {
	try {
		return storedSchema.parse(parse(text));
	} catch (cause) {
		const mend = "mend it by hand, or move its folder away";
		throw new BulkheadError("bad-input", `${file} cannot be read; ${mend}`, { cause });
	}
}
