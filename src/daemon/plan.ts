import { createHash } from "node:crypto";
import { inStartOrder } from "../api/after-check.ts";
import { leftInDomain } from "../api/domain.ts";
import { named } from "../api/named.ts";
import { type Change, lostWithServer, type Plan } from "../api/plan.ts";
import type { Problem } from "../api/problem.ts";
import type { ServerDefinition, Site } from "../api/site.ts";
import { formatSize, parseSize } from "../api/units.ts";
import type { StoredServer } from "../store/servers.ts";
import { atOnce } from "./definition-mark.ts";
import { followingChanges } from "./following-changes.ts";
import { lanOf } from "./lan.ts";
import { guestOf, isInstalling } from "./resolve.ts";

/**
 * What applying a site would do. Pure.
 * @param before the site as it is now
 */
export function planOf(site: Site, stored: readonly StoredServer[], before?: Site): Plan {
	const { servers = {} } = site;
	const wanted = inStartOrder(servers);
	const stays = ({ name }: StoredServer) => wanted.includes(name);
	const changes = [
		...wanted.flatMap((name) => {
			const definition = servers[name];
			const old = stored.find((server) => server.name === name);
			if (!definition) return [];
			return [old ? changeOf(name, old, definition, site) : creation(name, definition)];
		}),
		...stored.filter((one) => !stays(one)).map((one) => deletion(one, stored.filter(stays))),
	];
	const fingerprint = createHash("sha256")
		.update(JSON.stringify([site, stored, before?.segments ?? {}]))
		.digest("hex")
		.slice(0, 16);
	return {
		site: site.name,
		fingerprint,
		segments: segmentDifferences(before?.segments ?? {}, site.segments ?? {}),
		changes,
		destructive: changes.some(({ destroys }) => destroys.length > 0),
	};
}

type Segments = NonNullable<Site["segments"]>;

function segmentDifferences(before: Segments, after: Segments): string[] {
	const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
	return names.flatMap((name) => {
		const [old, now] = [segmentText(named(before, name)), segmentText(named(after, name))];
		if (old === now) return [];
		if (old === undefined) return [`+ ${name} ${now}`];
		return now === undefined ? [`- ${name} ${old}`] : [`~ ${name} ${old} → ${now}`];
	});
}

function segmentText(segment: Segments[string] | undefined): string | undefined {
	if (!segment) return undefined;
	const { subnet, subnet6, allow, lan, gateway } = segment;
	const words = [
		subnet,
		subnet6,
		allow && `allow ${allow}`,
		lan && `lan ${lan}`,
		gateway && `gateway ${gateway}`,
	];
	return words.filter(Boolean).join(", ");
}

function lanText(lan: StoredServer["lan"] | undefined): string {
	return lan ? `${lan.interface}, gateway ${lan.gateway}` : "(none)";
}

function creation(server: string, definition: ServerDefinition): Change {
	return {
		server,
		kind: "create",
		differences: flat(definition).map(([key, value]) => `${key}: ${value}`),
		destroys: [],
		left: null,
		restartNeeded: false,
	};
}

function deletion(server: StoredServer, staying: readonly StoredServer[]): Change {
	const { name, definition } = server;
	const destroys = [
		"system disk",
		...(definition.data ?? []).map(({ name, size }) => `data disk ${name} (${size})`),
		...lostWithServer(definition.recovery?.mode ?? "cold"),
	];
	const left = leftInDomain(server, staying);
	return { server: name, kind: "delete", differences: [], destroys, left, restartNeeded: false };
}

function changeOf(server: string, old: StoredServer, definition: ServerDefinition, site: Site): Change {
	const before = new Map(flat(old.definition));
	const after = new Map(flat(definition));
	const keys = [...new Set([...before.keys(), ...after.keys()])];
	const differences = keys
		.filter((key) => before.get(key) !== after.get(key))
		.map((key) => `${key}: ${before.get(key) ?? "(not set)"} → ${after.get(key) ?? "(not set)"}`);
	const { subnet, subnet6, lan } = subnetsOf(definition, site);
	if (subnet !== old.subnet) differences.push(`subnet: ${old.subnet ?? "(none)"} → ${subnet ?? "(none)"}`);
	if (subnet6 !== old.subnet6)
		differences.push(`subnet6: ${old.subnet6 ?? "(none)"} → ${subnet6 ?? "(none)"}`);
	const [wasLan, isLan] = [old.lan, lan].map(lanText);
	if (wasLan !== isLan) differences.push(`lan: ${wasLan} → ${isLan}`);
	differences.push(
		...followingChanges(old, definition, (key) => differences.some((line) => line.startsWith(`${key}: `))),
	);
	const gone = (old.definition.data ?? []).filter(
		({ name }) => !(definition.data ?? []).some((disk) => disk.name === name),
	);
	const kind = differences.length === 0 ? "same" : "change";
	const restartNeeded = differences.some((line) => !isAtOnce(line));
	return {
		server,
		kind,
		differences,
		destroys: gone.map(({ name, size }) => `data disk ${name} (${size})`),
		left: null,
		restartNeeded,
	};
}

/** What the front door, the firewall and the supervisor use takes effect at once; hardware with the next session. */
const isAtOnce = (difference: string) =>
	/^recovery(?!\.mode)\b/.test(difference) || atOnce.some((key) => new RegExp(`^${key}\\b`).test(difference));

/** Changes that are refused, because they would lose something or mean another server. */
export function refusedChanges(site: Site, stored: readonly StoredServer[]): Problem[] {
	const refused = stored.flatMap((old) => {
		const definition = named(site.servers, old.name);
		return definition ? refusedOf(old, definition) : [];
	});
	return [...nameProblems(site, stored), ...refused];
}

/**
 * Servers live in a sandbox of their site's name: another one would take it away under those that run, also when the file
 * names none of them and they would be deleted.
 */
function nameProblems(site: Site, stored: readonly StoredServer[]): Problem[] {
	const other = stored.find((old) => old.site !== site.name);
	if (!other) return [];
	const mend = "rename it back, or delete that site's servers first";
	return [{ path: ["name"], message: `this daemon runs site ${other.site}; ${mend}` }];
}

function refusedOf(old: StoredServer, definition: ServerDefinition): Problem[] {
	const at = ["servers", old.name];
	const problems: Problem[] = [];
	const refuse = (path: Problem["path"], message: string) => problems.push({ path, message });
	const another =
		"it would be another server: delete it and make a new one, or give the new one another name";
	if (definition.template !== old.definition.template)
		refuse([...at, "template"], `cannot be changed; ${another}`);
	if (definition.image !== old.definition.image) refuse([...at, "image"], `cannot be changed; ${another}`);
	if ((definition.install === undefined) !== (old.definition.install === undefined))
		refuse([...at, "install"], `cannot be ${definition.install ? "added" : "left out"}; ${another}`);
	else problems.push(...answersProblems(old, definition, at));
	const { systemDisk } = old.installed;
	if ((definition.system?.disk ?? systemDisk) !== systemDisk) {
		const lost = "what is on it would be lost or kept against your expectation";
		refuse([...at, "system", "disk"], `is ${systemDisk} and cannot be changed; ${lost}; ${another}`);
	}
	return [...problems, ...addressProblems(old, definition, at), ...sizeProblems(old, definition, at)];
}

/** The medium with them is made once, for the guest that the server was then; while it is needed nothing of that may change. */
function answersProblems(old: StoredServer, definition: ServerDefinition, at: string[]): Problem[] {
	const [was, is] = [old.definition.install?.answers, definition.install?.answers];
	const path = [...at, "install", "answers"];
	if (is !== undefined && JSON.stringify(is) !== JSON.stringify(was))
		return [
			{ path, message: "are told once, when the server is made, and cannot be changed; put them back" },
		];
	if (!isInstalling(old)) return [];
	const mend = `while it is being installed; afterwards, or after: bulkhead eject ${old.name}`;
	if (is === undefined) return [{ path, message: `cannot be left out ${mend}` }];
	if ((definition.guest ?? old.installed.guest) !== guestOf(old))
		return [{ path: [...at, "guest"], message: `cannot be changed ${mend}` }];
	return [];
}

/** A controller's addresses are in its domain's DNS, where its clients find it. */
function addressProblems(
	{ domain, definition: { network: before } }: StoredServer,
	{ network }: ServerDefinition,
	at: string[],
): Problem[] {
	if (!domain) return [];
	return (["address", "address6"] as const).flatMap((key) => {
		if (network?.[key] === before?.[key]) return [];
		const was = before?.[key] ?? "none";
		const message = `is ${was} in the DNS of ${domain.realm}, where clients find this controller, and cannot be changed; put it back`;
		return [{ path: [...at, "network", key], message }];
	});
}

function sizeProblems(old: StoredServer, definition: ServerDefinition, at: string[]): Problem[] {
	const problems: Problem[] = [];
	const refuse = (path: Problem["path"], before: string, after: string) => {
		const mend = "grow it by hand with the server stopped (qemu-img resize)";
		problems.push({
			path: [...at, ...path],
			message: `is ${before} and cannot be changed to ${after}; ${mend}`,
		});
	};
	const asked = definition.system?.size;
	// Also when the definition never named a size: the disk got its template's or its image's.
	if (asked !== undefined && parseSize(asked) !== old.installed.systemBytes)
		refuse(["system", "size"], formatSize(old.installed.systemBytes), asked);
	for (const [i, disk] of (definition.data ?? []).entries()) {
		const before = old.definition.data?.find(({ name }) => name === disk.name);
		if (before !== undefined && parseSize(before.size) !== parseSize(disk.size))
			refuse(["data", i, "size"], before.size, disk.size);
		if (before !== undefined && before.image !== disk.image)
			problems.push({
				path: [...at, "data", i, "image"],
				message: `is ${before.image ?? "not set"}, as the disk was made, and cannot be changed; put it back, or give the new disk another name`,
			});
	}
	return problems;
}

/** The networks of a server's segment; the IPv6 one only when it has an address of it. */
export function subnetsOf(
	{ network }: ServerDefinition,
	site: Site,
): Pick<StoredServer, "subnet" | "subnet6" | "lan"> {
	const segment = network && named(site.segments, network.segment);
	const subnet6 = network?.address6 === undefined ? undefined : segment?.subnet6;
	return { subnet: segment?.subnet ?? null, subnet6: subnet6 ?? null, lan: lanOf(site, network?.segment) };
}

/** A definition as lines: `network.address` → `10.77.0.10`. Lists of named things are keyed by their names. */
function flat(value: unknown, prefix = ""): [string, string][] {
	if (Array.isArray(value)) {
		// Of a server none is what it has when nothing is said; of a published service it is not what its template says.
		if (value.length === 0) return prefix.includes(".") ? [[prefix, "(none)"]] : [];
		const seen = new Map<string, number>();
		return value.flatMap((item, i) => {
			const { name, service } = (item ?? {}) as { name?: unknown; service?: unknown };
			const known = String(name ?? service ?? i);
			// A service may be published twice.
			const times = (seen.get(known) ?? 0) + 1;
			seen.set(known, times);
			return flat(item, `${prefix}[${known}${times > 1 ? ` ${times}` : ""}]`);
		});
	}
	if (typeof value !== "object" || value === null) return [[prefix, String(value)]];
	return Object.entries(value).flatMap(([key, inner]) =>
		inner === undefined ? [] : flat(inner, prefix ? `${prefix}.${key}` : key),
	);
}
