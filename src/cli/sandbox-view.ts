import { wayText } from "../api/outbound.ts";
import type { SandboxView, Tally } from "../api/sandbox.ts";
import { formatSize } from "../api/units.ts";
import { portsText, whoText } from "./published-view.ts";
import { type Column, pairs, table } from "./table.ts";
import { type Line, type Part, styled } from "./terminal.ts";
import { pad, widthOf } from "./width.ts";

const healthStyle = { up: "green", down: "red", unknown: "dim", unchecked: "dim" } as const;

/** Who can reach a server and what it can reach: a picture, then the same in words, then what was counted. */
export function sandboxLines(view: SandboxView): Line[] {
	if (view.address === null)
		return [[`${view.server} has no network: nothing reaches it, and it reaches nothing.`]];
	return [...picture(view), [], ...inWords(view), [], ...counted(view)];
}

/** What leads through the wall, and what ends at it. */
function picture(view: SandboxView): Line[] {
	const inside = boxOf(view);
	const ways = view.waysIn.map(({ from, listen, protocol, health, service }): [string, Part] => [
		`${from === "lan" ? "LAN " : "host"}  ──▶${placeOf({ listen, protocol })}`,
		styled(service, healthStyle[health]),
	]);
	const left: [string, Part][] = [
		...ways,
		...view.fromServers.map((path): [string, Part] => [
			`${path.server}  ──▶`,
			styled(pathText(path), "green"),
		]),
		["everything else  ──▶  ╳", ""],
		...view.neighbours.map((name): [string, Part] => [`${name}  ──▶  ╳`, ""]),
		...view.toServers.map((path): [string, Part] => [`${path.server}'s ${pathText(path)}  ◀──`, ""]),
		...view.outbound.ways.map((way): [string, Part] => [`${wayText(way)}  ◀──`, ""]),
		[`anything ${view.outbound.ways.length > 0 ? "else " : ""}outside  ╳  ◀──`, ""],
	];
	const serviceWidth = Math.max(
		0,
		...left.map(([, part]) => widthOf(textOf(part)) + 2).filter((width) => width > 2),
	);
	const widest = Math.max(...left.map(([text]) => widthOf(text)));
	const height = Math.max(left.length, inside.length);
	const boxWidth = Math.max(...inside.map(widthOf));
	const edge = (corner: string, end: string): Line => [
		" ".repeat(widest + 2),
		styled(`${corner}${"─".repeat(boxWidth + 2 + serviceWidth)}${end}`, "dim"),
	];
	const rows = Array.from({ length: height }, (_, i): Line => {
		const [text, service] = left[i] ?? ["", ""];
		const own = inside[i] ?? "";
		return [
			pad(text, widest, "right"),
			"  ",
			styled("│ ", "dim"),
			padded(service, serviceWidth),
			pad(own, boxWidth),
			styled(" │", "dim"),
		];
	});
	return [edge("┌", "┐"), ...rows, edge("└", "┘")];
}

/** A port of the host, or nothing between: the server's own address is in the box. */
function placeOf({ listen, protocol }: Pick<SandboxView["waysIn"][number], "listen" | "protocol">): string {
	if (listen === null) return "";
	return ` :${listen}${protocol === "udp" ? "/udp" : ""} ──▶`;
}

function boxOf({ server, address, address6, segment, subnet }: SandboxView): string[] {
	const addresses = [address ?? "", ...(address6 === null ? [] : [address6])];
	return [server, ...addresses, `segment ${segment ?? ""}`, subnet ?? ""];
}

function pathText({ service, protocol, port }: SandboxView["toServers"][number]): string {
	if (port === null) return "everything";
	return service ?? `${protocol} ${port}`;
}

function textOf(part: Part): string {
	return typeof part === "string" ? part : part.text;
}

function padded(part: Part, width: number): Part {
	return typeof part === "string" ? pad(part, width) : { ...part, text: pad(part.text, width) };
}

function inWords(view: SandboxView): Line[] {
	const columns: Column[] = [
		{ title: "WHO" },
		{ title: "REACHES" },
		{ title: "ON PORT" },
		{ title: "HEALTH" },
		{ title: "BECAUSE" },
	];
	const ways = view.waysIn.map(({ from, service, listen, ports, health, because }) => [
		from === "host" ? "programs on this host" : whoText({ to: from, listen }),
		`${view.server}'s ${service}`,
		listen === null ? portsText(ports) : String(listen),
		styled(health, healthStyle[health]),
		because,
	]);
	const nobody =
		ways.length + view.fromServers.length === 0
			? [["nobody", view.server, "", "", `servers.${view.server} publishes nothing`]]
			: [];
	const between = [
		...view.fromServers.map((path) => [
			path.server,
			`${view.server}'s ${pathText(path)}`,
			portText(path),
			"",
			path.because,
		]),
		...view.toServers.map((path) => [
			view.server,
			`${path.server}'s ${pathText(path)}`,
			portText(path),
			"",
			path.because,
		]),
	];
	const { ways: waysOut, obstacles, because } = view.outbound;
	const out = [
		...waysOut.map((way) => [
			view.server,
			[wayText(way), addressesText(way)].join(" ").trimEnd(),
			"",
			obstacles.length > 0 ? styled("see below", "red") : "",
			way.because,
		]),
		[view.server, `nothing ${waysOut.length > 0 ? "else " : ""}outside`, "", "", because],
	];
	const others =
		view.neighbours.length === 0
			? []
			: [
					[
						view.neighbours.join(", "),
						`nothing of ${view.server}`,
						"",
						"",
						"servers of a segment are kept apart",
					],
				];
	return [...table(columns, [...ways, ...nobody, ...between, ...others, ...out]), ...obstacleLines(view)];
}

/** What a name stands for, so that it is not shown as something that lets nothing out. */
function addressesText({ addresses }: SandboxView["outbound"]["ways"][number]): string {
	if (addresses === null) return "";
	return addresses.length === 0 ? "(no address yet)" : `(${addresses.join(", ")})`;
}

function portText({ port, ports }: SandboxView["toServers"][number]): string {
	return port === null ? "" : ports.length === 1 ? String(port) : portsText(ports);
}

function obstacleLines({ server, outbound: { obstacles } }: SandboxView): Line[] {
	if (obstacles.length === 0) return [];
	const all = obstacles.flatMap(({ found, mend }): Line[] => [[styled(`  ${found}`, "red")], [`  ${mend}`]]);
	return [
		[],
		[
			styled(
				`What of this host's settings stops what ${server} may reach outside, or what reaches it from there:`,
				"bold",
			),
		],
		...all,
	];
}

function counted(view: SandboxView): Line[] {
	const { counted, server, outbound, waysIn, refused } = view;
	if (!counted) return [];
	const arrived = toldApart(
		waysIn.flatMap(({ service, from, passed, ports }) => {
			const text = `${from === "lan" ? "the LAN" : "this host"} to ${server}'s ${service}`;
			return passed === null ? [] : { text, passed, ports };
		}),
	);
	if (refused !== null) arrived.push([`dropped: from outside to ${server}`, tallyText(refused)]);
	const between = betweenLines(view);
	const out = outbound.ways.map((way): [string, string] => [
		`${server} to ${wayText(way)}`,
		passedText(way.passed),
	]);
	const dropped: [string, string][] =
		outbound.dropped === null
			? []
			: [[`dropped: from ${server} to anything else outside`, tallyText(outbound.dropped)]];
	return [
		...(arrived.length + between.length + out.length + dropped.length === 0
			? []
			: [
					[styled(`Counted, of ${server}:`, "bold")],
					...pairs([...arrived, ...between, ...out, ...dropped]),
					[],
				]),
		[styled("Counted, of the whole site:", "bold")],
		...pairs([
			["connections that front doors tried to open", String(counted.opened.packets)],
			["dropped: from guests to the sandbox's own addresses", tallyText(counted.droppedIn)],
			["dropped: from guests to other servers, or to where nothing leads", tallyText(counted.droppedForward)],
			["dropped: from guests with another's hardware address", tallyText(counted.spoofedMac)],
			["dropped: from guests with another's IPv4 address", tallyText(counted.spoofedIp)],
			["dropped: from guests that claim another's address by ARP", tallyText(counted.spoofedArp)],
			["dropped: from guests with another's IPv6 address", tallyText(counted.spoofedIp6)],
			["dropped: from guests that claim another's address by NDP", tallyText(counted.spoofedNd)],
			["dropped: from guests that play the router", tallyText(counted.rogueRouter)],
			["dropped: from guests that play the DHCP server", tallyText(counted.rogueDhcp)],
			["dropped: from guests, with a VLAN tag", tallyText(counted.tagged)],
			["dropped: from guests, other protocols", tallyText(counted.otherProtocol)],
			["dropped: what IPv6 hosts ask when they begin; no offence", tallyText(counted.unneeded)],
			["dropped: from processes in the sandbox that may not", tallyText(counted.droppedOut)],
		]),
	];
}

/** What goes between servers, both ways together. */
function betweenLines({ server, segment, fromServers, toServers }: SandboxView): [string, string][] {
	const named = [
		...fromServers.map((path) => ({ ...path, text: `${path.server} to ${server}'s ${pathText(path)}` })),
		...toServers.map((path) => ({ ...path, text: `${server} to ${path.server}'s ${pathText(path)}` })),
	].filter(({ port, passed }) => port !== null && passed !== null);
	const lines = toldApart(named, ", and back");
	const whole = toServers.find(({ port, passed }) => port === null && passed !== null);
	if (!whole) return lines;
	return [...lines, [`all servers of segment ${segment} to each other`, passedText(whole.passed)]];
}

interface Way {
	text: string;
	ports: readonly string[];
	passed: Tally | null;
}

/** What went by each way; of those that would read the same, each with its ports. */
function toldApart(ways: readonly Way[], end = ""): [string, string][] {
	return ways.map(({ text, ports, passed }) => {
		const isAlone = ways.filter((way) => way.text === text).length === 1;
		return [`${text}${isAlone ? "" : ` (${portsText(ports)})`}${end}`, passedText(passed)];
	});
}

function passedText(passed: Tally | null): string {
	return passed === null || passed.packets === 0
		? "nothing yet"
		: `${passed.packets} packets, ${formatSize(passed.bytes)}`;
}

function tallyText({ packets, bytes }: Tally): string {
	return packets === 0 ? "none" : `${packets} packets, ${formatSize(bytes)}`;
}
