import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { type Incident, incidentView } from "../api/incident.ts";
import { listIfThere, readIfThere, writeFileAtomic } from "../host/files.ts";
import type { Paths } from "./paths.ts";

const evidenceLimit = 64 * 1024 * 1024;

/** Incidents as plain files: one folder each, with its evidence. */
export class IncidentStore {
	private readonly paths: Paths;

	constructor(paths: Paths) {
		this.paths = paths;
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

	/** @returns undefined when there is no such incident */
	async load(id: string): Promise<Incident | undefined> {
		const server = /^([a-z][a-z0-9-]*)-\d+$/.exec(id)?.[1];
		if (server === undefined) return undefined;
		const text = await readIfThere(this.paths.server(server).incident(id).file);
		return text === undefined ? undefined : incidentView.parse(JSON.parse(text));
	}

	/** @returns all incidents of all servers, newest first */
	async list(): Promise<Incident[]> {
		const found: Incident[] = [];
		for (const server of await listIfThere(this.paths.servers)) {
			for (const id of await listIfThere(this.paths.server(server).incidents)) {
				const incident = await this.load(id);
				if (incident) found.push(incident);
			}
		}
		return found.sort((a, b) => b.at - a.at);
	}

	/** @returns a file of an incident's evidence, or undefined when the incident does not have it */
	async evidence(incident: Incident, name: string): Promise<Buffer | undefined> {
		if (!incident.evidence.includes(name)) return undefined;
		const path = this.paths.server(incident.server).incident(incident.id).evidence(name);
		if ((await stat(path)).size > evidenceLimit) return undefined;
		return await readFile(path);
	}
}
