import { lchown, lstat, mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { BulkheadError, explain } from "../api/errors.ts";
import { type Incident, incidentView } from "../api/incident.ts";
import { errorCode, listIfThere, readIfThere, writeFileAtomic } from "../host/files.ts";
import type { Logger } from "../host/log.ts";
import type { Paths } from "./paths.ts";

const evidenceLimit = 64 * 1024 * 1024;

/** Incidents as plain files: one folder each, with its evidence. */
export class IncidentStore {
	private readonly paths: Paths;
	private readonly log: Pick<Logger, "error">;
	/** Damaged files that were told of: lists are asked for often. */
	private readonly told = new Set<string>();

	constructor(paths: Paths, log: Pick<Logger, "error">) {
		this.paths = paths;
		this.log = log;
	}

	async save(incident: Incident): Promise<void> {
		const { folder, file } = this.paths.server(incident.server).incident(incident.id);
		await mkdir(folder, { recursive: true, mode: 0o750 });
		await writeFileAtomic(file, `${JSON.stringify(incident, null, "\t")}\n`);
	}

	/** Adds a file of evidence to an incident. */
	async keep(server: string, id: string, name: string, content: string | Buffer): Promise<string> {
		const own = this.paths.server(server).incident(id);
		await mkdir(own.folder, { recursive: true, mode: 0o750 });
		await writeFile(own.evidence(name), content, { mode: 0o640 });
		return name;
	}

	/**
	 * Takes over a file that a session has written: it is the session's word, and may be anything.
	 * @throws Error when it is no plain file
	 */
	async keepFile(server: string, id: string, name: string, path: string): Promise<string> {
		const own = this.paths.server(server).incident(id);
		await mkdir(own.folder, { recursive: true, mode: 0o750 });
		const kept = own.evidence(name);
		// Out of the session's reach first: then it is looked at.
		await rename(path, kept);
		if ((await lstat(kept)).isFile()) await lchown(kept, 0, 0);
		else {
			await rm(kept, { recursive: true, force: true });
			throw new Error(`the session's ${name} is no plain file`);
		}
		return name;
	}

	/** @returns undefined when there is no such incident. @throws BulkheadError internal for a damaged file */
	async load(id: string): Promise<Incident | undefined> {
		const server = /^([a-z][a-z0-9-]*)-\d+$/.exec(id)?.[1];
		if (server === undefined) return undefined;
		const { file } = this.paths.server(server).incident(id);
		try {
			const text = await readIfThere(file);
			return text === undefined ? undefined : incidentView.parse(JSON.parse(text));
		} catch (cause) {
			if (isNoFolder(cause)) return undefined;
			const mend = "mend it by hand, or move its folder away";
			throw new BulkheadError("internal", `${file} cannot be read; ${mend}`, { cause });
		}
	}

	/** As `load`; a damaged file is told of once, and is as if it were not there. */
	async loadIfWhole(id: string): Promise<Incident | undefined> {
		try {
			return await this.load(id);
		} catch (error) {
			if (!this.told.has(id)) this.log.error({ err: error, incident: id }, explain(error));
			this.told.add(id);
			return undefined;
		}
	}

	/** @returns all incidents of all servers that can be read, newest first */
	async list(): Promise<Incident[]> {
		const found: Incident[] = [];
		for (const server of await listIfThere(this.paths.servers)) {
			for (const id of await this.idsOf(server)) {
				const incident = await this.loadIfWhole(id);
				if (incident) found.push(incident);
			}
		}
		return found.sort((a, b) => b.at - a.at);
	}

	private async idsOf(server: string): Promise<string[]> {
		return await listIfThere(this.paths.server(server).incidents).catch((error: unknown) => {
			if (isNoFolder(error)) return [];
			throw error;
		});
	}

	/** @returns a file of an incident's evidence, or undefined when the incident does not have it */
	async evidence(incident: Incident, name: string): Promise<Buffer | undefined> {
		if (!incident.evidence.includes(name)) return undefined;
		const path = this.paths.server(incident.server).incident(incident.id).evidence(name);
		if ((await stat(path)).size > evidenceLimit)
			throw new BulkheadError("bad-input", `${name} is too large to be sent; it is kept as ${path}`);
		return await readFile(path);
	}
}

/** A stray file lies where a folder would be; it is none of ours. */
function isNoFolder(error: unknown): boolean {
	return errorCode(error) === "ENOTDIR";
}
