import type { z } from "zod";
import { contains, gatewayOf, overlap, parseAddress, parseSubnet, sizeOf } from "./addresses.ts";
import { afterProblems } from "./after-check.ts";
import { hardwareProblems } from "./hardware-check.ts";
import { named } from "./named.ts";
import { networkProblems } from "./network-check.ts";
import { outboundProblems } from "./outbound-check.ts";
import type { Problem } from "./problem.ts";
import { repeatProblems } from "./repeat-check.ts";
import { type PublishDefinition, type ServerDefinition, type Site, siteSchema } from "./site.ts";
import { nearest } from "./strict.ts";

export type CheckedSite = { site: Site; problems: [] } | { site?: undefined; problems: Problem[] };

/** Checks a site as far as that can be done without looking at the host. */
export function checkSite(value: unknown): CheckedSite {
	const parsed = siteSchema.safeParse(value);
	if (!parsed.success) {
		return {
			problems: sized(parsed.error.issues.flatMap(innermost)).map((issue) => ({
				path: [
					...issue.path.map((part) => (typeof part === "symbol" ? String(part) : part)),
					...keyOf(issue),
				],
				message: issue.code === "invalid_key" ? (issue.issues[0]?.message ?? issue.message) : issue.message,
			})),
		};
	}
	const problems = [
		...segmentProblems(parsed.data),
		...serverProblems(parsed.data),
		...networkProblems(parsed.data),
		...outboundProblems(parsed.data),
		...afterProblems(parsed.data),
	];
	return problems.length > 0 ? { problems } : { site: parsed.data, problems: [] };
}

/** Of what may be written in several ways, what is wrong with the one that was meant: the one that was followed furthest. */
function innermost(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
	if (issue.code !== "invalid_union") return [issue];
	const deep = issue.errors.find((issues) =>
		issues.some(({ path, code }) => path.length > 0 || isSize(code)),
	);
	if (!deep) return [issue];
	return deep.flatMap((inner) => innermost({ ...inner, path: [...issue.path, ...inner.path] }));
}

/** Without those of the size of what has to be of another kind: a text that stands for a list has a length, too. */
function sized(issues: readonly z.core.$ZodIssue[]): z.core.$ZodIssue[] {
	const placeOf = ({ path }: z.core.$ZodIssue) => path.map(String).join("\0");
	const otherKinds = new Set(issues.filter(({ code }) => code === "invalid_type").map(placeOf));
	return issues.filter((issue) => !isSize(issue.code) || !otherKinds.has(placeOf(issue)));
}

/** A list of the right kind that is too short or too long. */
function isSize(code: string): boolean {
	return code === "too_small" || code === "too_big";
}

function keyOf(issue: { code?: string; keys?: string[] }): string[] {
	return issue.code === "unrecognized_keys" && issue.keys?.[0] !== undefined ? [issue.keys[0]] : [];
}

type Segment = NonNullable<Site["segments"]>[string];

function segmentProblems(site: Site): Problem[] {
	const segments = Object.entries(site.segments ?? {});
	const parsed = segments.map(([name, { subnet }]) => ({ name, subnet, range: parseSubnet(subnet) }));
	const overlaps = parsed.flatMap(({ name, subnet, range }, index) =>
		parsed
			.slice(0, index)
			.filter((other) => range && other.range && overlap(range, other.range))
			.map(({ name: other, subnet: theirs }) => ({
				path: ["segments", name, "subnet"],
				message: `${subnet} overlaps ${theirs} of segment ${other}; give each segment a network of its own`,
			})),
	);
	return [...overlaps, ...segments.flatMap(([name, segment]) => gatewayProblems(name, segment))];
}

function gatewayProblems(name: string, { subnet, gateway, lan }: Segment): Problem[] {
	const [network, address] = [parseSubnet(subnet), parseAddress(gateway ?? "")];
	if (gateway === undefined || !network || address === undefined) return [];
	const path = ["segments", name, "gateway"];
	if (lan === undefined) {
		const message =
			"means something only with `lan:`; other segments have the sandbox for a gateway; leave it out";
		return [{ path, message }];
	}
	const inner = contains(network, address) && address !== network.base && address !== lastOf(network);
	if (inner) return [];
	return [
		{ path, message: `${gateway} is no machine's address in ${subnet}; write that of the LAN's router` },
	];
}

function serverProblems(site: Site): Problem[] {
	const taken = new Map<string, string>();
	const problems: Problem[] = [];
	const claim = (key: string, owner: string, path: (string | number)[], message: (by: string) => string) => {
		const holder = taken.get(key);
		if (holder !== undefined) problems.push({ path, message: message(holder) });
		else taken.set(key, owner);
	};
	for (const [name, server] of Object.entries(site.servers ?? {})) {
		const at = ["servers", name];
		problems.push(...hardwareProblems(server, at));
		if (server.network) {
			const own = [...at, "network", "address"];
			problems.push(...addressProblems(site, server.network, at));
			claim(
				`address ${server.network.address}`,
				name,
				own,
				(by) => `${server.network?.address} is already the address of ${by}; give each server its own`,
			);
		} else if (server.publish?.length) {
			problems.push({
				path: [...at, "publish"],
				message: "a server without `network:` cannot publish anything; give it a segment and an address",
			});
		}
		problems.push(...warmProblems(server, at));
		for (const [i, disk] of (server.data ?? []).entries()) {
			const path = [...at, "data", i, "name"];
			if (disk.name === "system")
				problems.push({ path, message: '"system" is the system disk; choose another name' });
			claim(
				`disk ${name} ${disk.name}`,
				name,
				path,
				() => `there are two data disks ${disk.name}; give each its own name`,
			);
		}
		const atAddress = (server.publish ?? []).map((one) => (throughAddress(site, server, one) ? one : null));
		problems.push(...repeatProblems(name, atAddress));
		for (const [i, published] of (server.publish ?? []).entries()) {
			const listen = published.listen ?? published.port;
			if (listen === undefined || throughAddress(site, server, published)) continue;
			const path = [...at, "publish", i, published.listen === undefined ? "port" : "listen"];
			const kind = published.protocol === "udp" ? "UDP port" : "port";
			claim(
				`listen ${kind} ${listen}`,
				name,
				path,
				(by) => `${kind} ${listen} of the host is already published by ${by}; choose another \`listen:\``,
			);
		}
	}
	return problems;
}

/** Whether it takes no port of the host, as far as the site alone tells. */
function throughAddress(
	site: Site,
	{ network }: ServerDefinition,
	{ through, listen, proxy, hold }: PublishDefinition,
): boolean {
	const onLan = network !== undefined && named(site.segments, network.segment)?.lan !== undefined;
	const saysDoor = listen !== undefined || proxy !== undefined || hold !== undefined;
	return through === "address" || (through === undefined && onLan && !saysDoor);
}

function warmProblems(
	{ recovery, system, template, install, agent, sleep, publish = [] }: ServerDefinition,
	at: string[],
): Problem[] {
	if (recovery?.mode !== "warm") {
		const keys = ["standby", "sealAge", "renewEvery"] as const;
		const unused = keys.filter((key) => recovery?.[key] !== undefined).map((key) => ["recovery", key]);
		if (recovery?.evidence === "dump") unused.push(["recovery", "evidence"]);
		return [...unused, ...(sleep ? [["sleep"]] : [])].map((path) => ({
			path: [...at, ...path],
			message: "means something only with `recovery: { mode: warm }`; say that, or leave it out",
		}));
	}
	if (recovery.standby === 0 && (sleep || recovery.renewEvery)) {
		const message = "needs a next session that stands by, and `recovery.standby` is 0; make that 1";
		return [{ path: [...at, ...(sleep ? ["sleep"] : ["recovery", "renewEvery"])], message }];
	}
	if (sleep && publish.length === 0) {
		const message = "nobody could wake it: it publishes nothing; add `publish:`, or leave `sleep` out";
		return [{ path: [...at, "sleep"], message }];
	}
	const path = [...at, "recovery", "mode"];
	if (install !== undefined)
		return [
			{
				path,
				message:
					"warm is not possible for what is installed: its system disk is kept; use `cold`, or make a server of a copy of its disk (docs/warm.md)",
			},
		];
	if (template === undefined && agent !== true)
		return [
			{
				path,
				message:
					"warm needs a guest that is prepared for it (docs/warm.md) and runs qemu-guest-agent; say `agent: true` when it is, or use `cold`",
			},
		];
	if (template === undefined && system?.disk !== "disposable")
		return [
			{
				path,
				message:
					"warm needs a disposable system disk, and that of an image is kept; say `system: { disk: disposable }` if nothing to keep lives there, or use `cold`",
			},
		];
	if (system?.disk !== "kept") return [];
	const message =
		"warm needs a disposable system disk, and this one is kept; say `system: { disk: disposable }` if nothing to keep lives there, or use `cold`";
	return [{ path, message }];
}

type Subnet = NonNullable<ReturnType<typeof parseSubnet>>;

function lastOf(subnet: Subnet): number {
	return subnet.base + sizeOf(subnet) - 1;
}

/** What is wrong with a place in a site's networks, apart from who else has that address. */
export function addressProblems(
	site: Site,
	network: { segment: string; address: string },
	at: string[],
): Problem[] {
	const segments = site.segments ?? {};
	const segment = named(segments, network.segment);
	if (!segment) {
		const near = nearest(network.segment, Object.keys(segments));
		const mend = near ? `did you mean "${near}"?` : "add it under `segments:`";
		return [
			{ path: [...at, "network", "segment"], message: `there is no segment ${network.segment}; ${mend}` },
		];
	}
	const subnet = parseSubnet(segment.subnet);
	const address = parseAddress(network.address);
	if (!subnet || address === undefined) return [];
	const path = [...at, "network", "address"];
	if (!contains(subnet, address)) {
		return [
			{
				path,
				message: `${network.address} is outside segment ${network.segment} (${segment.subnet}); choose an address inside it`,
			},
		];
	}
	const gateway = segment.lan === undefined ? gatewayOf(subnet) : (segment.gateway ?? gatewayOf(subnet));
	if (address === subnet.base || address === lastOf(subnet) || network.address === gateway) {
		const whose = segment.lan === undefined ? "the sandbox's own" : "the gateway's";
		return [
			{
				path,
				message: `${network.address} is the network, the broadcast or ${whose} address of ${segment.subnet}; choose another`,
			},
		];
	}
	return [];
}
