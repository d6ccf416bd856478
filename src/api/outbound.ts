import { z } from "zod";
import { parseAddress, parseSubnet, writtenAs } from "./addresses.ts";
import { parseAddress6, parseSubnet6 } from "./addresses6.ts";
import { isHostName } from "./names.ts";
import { strict } from "./strict.ts";

const examples = "192.0.2.10, 198.51.100.0/24, 2001:db8::/32, updates.example.com or any";
const protocols = ["tcp", "udp", "icmp", "any"] as const;
const mostRules = 64;

const destination = z
	.string({ error: `must be an address, a network, a name or any: ${examples}` })
	.refine(isPlace, {
		error: (issue) => {
			const shown = JSON.stringify(String(issue.input).slice(0, 40));
			return String(issue.input).startsWith("*.")
				? `${shown} stands for any number of names, and nobody can know their addresses beforehand; write each name`
				: `${shown} is neither an address, a network nor a whole name; write ${writtenAs(String(issue.input), examples)}`;
		},
	});

const portRange = z
	.union([z.int(), z.string()], { error: "must be a port or a range of ports: 443 or 8000-8010" })
	.refine((value) => parsePorts(value) !== undefined, {
		error: (issue) =>
			`${JSON.stringify(issue.input).slice(0, 40)} is no port and no range of ports; write 443 or 8000-8010, between 1 and 65535`,
	});

const outboundRuleSchema = strict({
	to: destination.meta({ description: `What may be reached: ${examples}.` }),
	protocol: z
		.enum(protocols, { error: `must be one of ${protocols.join(", ")}` })
		.optional()
		.meta({ description: "`tcp` when left out." }),
	ports: z
		.array(portRange, { error: "must be a list of ports and ranges: [443, 8000-8010]" })
		.min(1, { error: "names no port; leave it out for all of them" })
		.max(64)
		.optional()
		.meta({ description: "Of tcp and udp; all when left out." }),
});

const kinds = {
	error: "must be deny, allow or a list of rules such as { to: 192.0.2.10, ports: [443] }",
};

export const outboundSchema = z
	.union(
		[
			z.enum(["deny", "allow"]),
			z
				.array(outboundRuleSchema, kinds)
				.min(1, { error: "has no rule; write `deny` for nothing" })
				.max(mostRules, { error: `has more than ${mostRules} rules; put addresses together into networks` }),
		],
		kinds,
	)
	.meta({
		description:
			"What the server may reach outside: `deny` (nothing), `allow` (everything but this host), or rules.",
	});

export type OutboundDefinition = z.infer<typeof outboundSchema>;

/** @returns the first and the last port of `443` or `8000-8010`; undefined when it is neither */
export function parsePorts(value: number | string): [number, number] | undefined {
	const [, first, last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(String(value)) ?? [];
	const range: [number, number] = [Number(first), Number(last)];
	const whole = range.every((port) => Number.isInteger(port) && port >= 1 && port <= 65_535);
	return whole && range[0] <= range[1] ? range : undefined;
}

function isPlace(text: string): boolean {
	return text === "any" || familyOfPlace(text) !== undefined || isName(text);
}

/** @returns whether a place is a name that is looked up, such as `updates.example.com` */
export function isName(text: string): boolean {
	return text.includes(".") && isHostName(text);
}

/** @returns of which family an address or a network is; undefined for what is neither */
export function familyOfPlace(text: string): 4 | 6 | undefined {
	if (parseAddress(text) !== undefined || parseSubnet(text)) return 4;
	return parseAddress6(text) !== undefined || parseSubnet6(text) ? 6 : undefined;
}

/** A rule as people write it: `192.0.2.10 tcp 443, 8000-8010`. */
export function wayText({ to, protocol, ports }: OutboundWay): string {
	if (to === "any" && protocol === "any") return "everything outside";
	const at = ports.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(", ");
	const place = to === "any" ? "anywhere" : to;
	return [place, protocol === "any" ? "" : protocol, at].filter((part) => part !== "").join(" ");
}

interface OutboundWay {
	to: string;
	protocol: string;
	ports: readonly (readonly [number, number])[];
}
