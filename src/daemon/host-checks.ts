import { explain } from "../api/errors.ts";
import { repeatProblems } from "../api/repeat-check.ts";
import type { ServerDefinition, Site } from "../api/site.ts";
import { nearest } from "../api/strict.ts";
import { canWiden, portInUse, portIsFree } from "../network/front-door/listen.ts";
import { macOf } from "../network/plan.ts";
import { serviceCatalogue } from "../network/services.ts";
import type { Installed, StoredServer } from "../store/servers.ts";
import { readTemplate, templateNames } from "../templates/catalogue.ts";
import type { Template } from "../templates/template.ts";
import { allowedOf } from "./between.ts";
import { hardwareOnHost } from "./hardware-checks.ts";
import { lanOf } from "./lan.ts";
import { lanProblems } from "./lan-checks.ts";
import { macProblems } from "./mac-checks.ts";
import { subnetsOf } from "./plan.ts";
import { type Published, publishedBy, publishedEntries, type Unpublishable } from "./published.ts";
import type { SiteProblem } from "./site-file.ts";

/** A server that is there, and whether it has a session. */
export interface Present {
	stored: StoredServer;
	inUse: boolean;
}

/** What is wrong with a site on this host as it is now: templates, images, ports, and what a running server cannot change. */
export async function hostProblems(site: Site, present: readonly Present[]): Promise<SiteProblem[]> {
	const listens = new Map<string, string>();
	const problems: SiteProblem[] = [...(await lanProblems(site)), ...macProblems(site)];
	for (const [name, definition] of Object.entries(site.servers ?? {})) {
		const old = present.find(({ stored }) => stored.name === name);
		const source = await sourceProblems(name, definition, old?.stored);
		problems.push(...source.problems, ...(old?.inUse ? runningProblems(site, definition, old.stored) : []));
		problems.push(...warmProblems(name, definition, source.warm));
		problems.push(...(await diskProblems(name, definition)));
		problems.push(...(await hardwareOnHost(name, definition, old?.stored)));
		const onLan = lanOf(site, definition.network?.segment) !== null;
		const entries = publishedEntries(definition.publish ?? [], source.services, onLan);
		problems.push(...reachProblems(name, entries, onLan));
		const atAddress = entries.map((entry) => ("way" in entry && entry.way ? entry : null));
		problems.push(...repeatProblems(name, atAddress));
		problems.push(...(await portProblems(name, entries, present, listens)));
		problems.push(...allowProblems(name, definition, source.services));
	}
	return problems;
}

interface Source {
	problems: SiteProblem[];
	services: Installed["services"];
	/** What recovering warm depends on; null when it is not known. */
	warm: Pick<Installed, "agent" | "systemDisk"> | null;
}

/** A session from a seal has another system disk than the one before, and is woken through its agent. */
function warmProblems(name: string, { recovery }: ServerDefinition, source: Source["warm"]): SiteProblem[] {
	if (recovery?.mode !== "warm" || !source) return [];
	const path = ["servers", name, "recovery", "mode"];
	if (source.systemDisk === "kept")
		return [
			{
				path,
				message:
					"warm needs a disposable system disk, and this server's is kept: what is on it would be lost with each session; use `cold`",
			},
		];
	if (source.agent) return [];
	return [{ path, message: "warm needs a guest with qemu-guest-agent, and this one has none; use `cold`" }];
}

/** A guest without a disk that its template counts on would start, and never serve. */
async function diskProblems(name: string, { template, data = [] }: ServerDefinition): Promise<SiteProblem[]> {
	// One that is not there is told elsewhere; servers that were made from it earlier do without.
	if (template === undefined || !(await templateNames()).includes(template)) return [];
	const { dataDisks } = await readTemplate(template);
	const missing = dataDisks.filter((disk) => !data.some((given) => given.name === disk));
	return missing.map((disk) => ({
		path: ["servers", name, "data"],
		message: `template ${template} needs a data disk named ${disk}; add \`{ name: ${disk}, size: 1GiB }\``,
	}));
}

async function sourceProblems(
	name: string,
	definition: ServerDefinition,
	old: StoredServer | undefined,
): Promise<Source> {
	if (old) {
		const { services, systemDisk } = old.installed;
		const agent = definition.agent ?? old.installed.agent;
		return { problems: [], services, warm: { agent, systemDisk } };
	}
	try {
		const template = definition.template === undefined ? undefined : await readTemplate(definition.template);
		const systemDisk = definition.system?.disk ?? template?.systemDisk.use ?? "kept";
		return {
			problems: [],
			services: template ? servicesOfTemplate(template) : {},
			warm: { agent: template?.agent ?? definition.agent ?? false, systemDisk },
		};
	} catch (error) {
		return {
			problems: [{ path: ["servers", name, "template"], message: explain(error) }],
			services: {},
			warm: null,
		};
	}
}

/** A running guest has its address and holds its disks. */
export function runningProblems(site: Site, definition: ServerDefinition, old: StoredServer): SiteProblem[] {
	const at = ["servers", old.name];
	const mend = `cannot be changed while it has a session; first: bulkhead stop ${old.name}`;
	const place = ({ network }: ServerDefinition) => [
		...[network?.segment, network?.address, network?.address6],
		network && (network.mac ?? macOf(old.site, old.name)),
	];
	const { subnet, subnet6, lan } = subnetsOf(definition, site);
	const network = [...place(definition), subnet, subnet6, lan?.interface, lan?.gateway];
	const before = [
		...place(old.definition),
		...[old.subnet, old.subnet6, old.lan?.interface, old.lan?.gateway],
	];
	const moved = network.some((part, i) => (part ?? null) !== (before[i] ?? null));
	const disks = (definition.data ?? []).map(({ name }) => name);
	const gone = (old.definition.data ?? []).filter(({ name }) => !disks.includes(name));
	return [
		...(moved ? [{ path: [...at, "network"], message: `its network ${mend}` }] : []),
		...gone.map(({ name }) => ({
			path: [...at, "data"],
			message: `leaving out data disk ${name}: its disks ${mend}`,
		})),
	];
}

/** A service that nobody knows has no port that could be opened to others. */
function allowProblems(
	name: string,
	definition: ServerDefinition,
	known: Installed["services"],
): SiteProblem[] {
	return allowedOf(definition, known).flatMap((allowed, i) => {
		if (!("missing" in allowed)) return [];
		const path = ["servers", name, "allow", i];
		return [{ path, message: unknownService(allowed.service) }];
	});
}

function unknownService(service: string): string {
	const near = nearest(service, Object.keys(serviceCatalogue));
	const mend = `${near ? `did you mean "${near}"? else ` : ""}give the \`port:\` inside the server`;
	return `neither its template nor the catalogue (\`bulkhead services\`) knows a service ${service}; ${mend}`;
}

/** Nobody of the LAN knows a way to an address of the sandbox's own. */
function reachProblems(
	name: string,
	entries: readonly (Published | Unpublishable)[],
	onLan: boolean,
): SiteProblem[] {
	return entries.flatMap((entry, i): SiteProblem[] => {
		if (!("way" in entry) || entry.way?.to !== "lan" || onLan) return [];
		const message = `the LAN reaches no address of the sandbox's own: put ${name} on a segment with \`lan:\`, or say \`to: host\``;
		return [{ path: ["servers", name, "publish", i, "to"], message }];
	});
}

async function portProblems(
	name: string,
	entries: readonly (Published | Unpublishable)[],
	present: readonly Present[],
	listens: Map<string, string>,
): Promise<SiteProblem[]> {
	// Ports of our own front doors come free when those change.
	const ours = new Map<string, Place["to"]>();
	for (const { key, to } of present.flatMap(({ stored }) => publishedBy(stored)).flatMap(placesOf))
		if (ours.get(key) !== "lan") ours.set(key, to);
	const problems: SiteProblem[] = [];
	for (const [i, entry] of entries.entries()) {
		const path = ["servers", name, "publish", i];
		if ("missing" in entry) problems.push({ path, message: unknownService(entry.service) });
		else if ("key" in entry) problems.push({ path: [...path, entry.key], message: entry.message });
		else {
			const proxied = entry.doors.some(({ proxy, protocol }) => proxy !== undefined && protocol === "http");
			if (proxied) {
				const message =
					"a service of http is told its clients' addresses in X-Forwarded-For; leave this out, or say `protocol: tcp`";
				problems.push({ path: [...path, "proxy"], message });
			}
			for (const place of placesOf(entry)) {
				const problem = await placeProblem(name, place, ours, listens);
				if (problem) problems.push({ path: [...path, "listen"], ...problem });
			}
		}
	}
	return problems;
}

type Place = ReturnType<typeof placesOf>[number];

/** Ports of the host that an entry takes. */
function placesOf({ doors, redirects }: Published) {
	return [
		...doors.map(({ service, to, listen }) => ({ service, to, listen, protocol: "tcp" as const })),
		...redirects.map(({ service, to, listen }) => ({ service, to, listen, protocol: "udp" as const })),
	].map((place) => ({ ...place, key: `${place.protocol} ${place.listen}` }));
}

async function placeProblem(
	name: string,
	place: Place,
	ours: ReadonlyMap<string, Place["to"]>,
	listens: Map<string, string>,
): Promise<Pick<SiteProblem, "message" | "code"> | undefined> {
	const holder = listens.get(place.key);
	listens.set(place.key, name);
	if (holder !== undefined) {
		const kind = place.protocol === "udp" ? "UDP port" : "port";
		return {
			message: `${kind} ${place.listen} of the host is already published by ${holder}; choose another \`listen:\``,
		};
	}
	if (await isFree(place, ours.get(place.key))) return undefined;
	return { message: portInUse(name, place, place.protocol).message, code: "port-in-use" };
}

/** @param held for whom one of ours has the port now, if any: by UDP that is a rule, and nothing that listens */
async function isFree({ to, listen, protocol }: Place, held: Place["to"] | undefined): Promise<boolean> {
	if (held === "lan" || held === to) return true;
	return held && protocol === "tcp" ? await canWiden(listen) : await portIsFree(to, listen, protocol);
}

function servicesOfTemplate({ services }: Template): Installed["services"] {
	return Object.fromEntries(
		services.map(({ name, port, protocol, health, rehearse = [] }) => [
			name,
			{ port, protocol, healthPath: health?.path ?? null, rehearse },
		]),
	);
}
