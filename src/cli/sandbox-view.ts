import type { SandboxView, Tally } from "../api/sandbox.ts";
import { formatSize } from "../api/units.ts";
import { type Column, pairs, table } from "./table.ts";
import { type Line, type Part, styled } from "./terminal.ts";
import { pad, widthOf } from "./width.ts";

const healthStyle = { up: "green", down: "red", unknown: "dim" } as const;
const whoIs = { lan: "everybody who reaches this host", host: "programs on this host" } as const;

/** Who can reach a server and what it can reach: a picture, then the same in words, then what was counted. */
export function sandboxLines(view: SandboxView): Line[] {
	if (view.address === null)
		return [[`${view.server} has no network: nothing reaches it, and it reaches nothing.`]];
	return [...picture(view), [], ...inWords(view), [], ...counted(view)];
}

/** What leads through the wall, and what ends at it. */
function picture(view: SandboxView): Line[] {
	const inside = boxOf(view);
	const ways = view.waysIn.map(({ from, listen, health, service }): [string, Part] => [
		`${from === "lan" ? "LAN " : "host"}  ──▶ :${listen} ──▶`,
		styled(service, healthStyle[health]),
	]);
	const left: [string, Part][] = [
		...ways,
		["everything else  ──▶  ╳", ""],
		...view.neighbours.map((name): [string, Part] => [`${name}  ──▶  ╳`, ""]),
		["anything outside  ╳  ◀──", ""],
	];
	const widest = Math.max(...left.map(([text]) => widthOf(text)));
	const height = Math.max(left.length, inside.length);
	const boxWidth = Math.max(...inside.map(widthOf));
	const edge = (corner: string, end: string): Line => [
		" ".repeat(widest + 2),
		styled(`${corner}${"─".repeat(boxWidth + 2 + serviceWidth(view))}${end}`, "dim"),
	];
	const rows = Array.from({ length: height }, (_, i): Line => {
		const [text, service] = left[i] ?? ["", ""];
		const own = inside[i] ?? "";
		return [
			pad(text, widest, "right"),
			"  ",
			styled("│ ", "dim"),
			padded(service, serviceWidth(view)),
			pad(own, boxWidth),
			styled(" │", "dim"),
		];
	});
	return [edge("┌", "┐"), ...rows, edge("└", "┘")];
}

function boxOf({ server, address, segment, subnet }: SandboxView): string[] {
	return [server, address ?? "", `segment ${segment ?? ""}`, subnet ?? ""];
}

function serviceWidth({ waysIn }: SandboxView): number {
	return waysIn.length === 0 ? 0 : Math.max(...waysIn.map(({ service }) => widthOf(service))) + 2;
}

function padded(part: Part, width: number): Part {
	return typeof part === "string" ? pad(part, width) : { ...part, text: pad(part.text, width) };
}

function inWords(view: SandboxView): Line[] {
	const columns: Column[] = [
		{ title: "WHO" },
		{ title: "REACHES" },
		{ title: "ON PORT", align: "right" },
		{ title: "HEALTH" },
		{ title: "BECAUSE" },
	];
	const ways = view.waysIn.map(({ from, service, listen, health, because }) => [
		whoIs[from],
		`${view.server}'s ${service}`,
		String(listen),
		styled(health, healthStyle[health]),
		because,
	]);
	const nobody =
		ways.length === 0 ? [["nobody", view.server, "", "", `servers.${view.server} publishes nothing`]] : [];
	const out = [view.server, "nothing outside", "", "", view.outbound.because];
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
	return table(columns, [...ways, ...nobody, ...others, out]);
}

function counted({ counted }: SandboxView): Line[] {
	if (!counted) return [];
	return [
		[styled("Counted, of the whole site:", "bold")],
		...pairs([
			["connections that front doors tried to open", String(counted.opened.packets)],
			["dropped: from guests to the sandbox's own addresses", tallyText(counted.droppedIn)],
			["dropped: from guests to anything beyond their segment", tallyText(counted.droppedForward)],
			["dropped: from guests with another's hardware address", tallyText(counted.spoofedMac)],
			["dropped: from guests with another's IPv4 address", tallyText(counted.spoofedIp)],
			["dropped: from guests that claim another's address by ARP", tallyText(counted.spoofedArp)],
			["dropped: from guests, neither IPv4 nor ARP", tallyText(counted.otherProtocol)],
			["dropped: from processes in the sandbox that may not", tallyText(counted.droppedOut)],
		]),
	];
}

function tallyText({ packets, bytes }: Tally): string {
	return packets === 0 ? "none" : `${packets} packets, ${formatSize(bytes)}`;
}
