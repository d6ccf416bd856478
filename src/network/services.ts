import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { z } from "zod";
import { named } from "../api/named.ts";
import { parsePorts } from "../api/outbound.ts";
import type { ServiceView } from "../api/service.ts";
import type { PortRange } from "./inbound/plan.ts";
import { talkSchema, timesSchema } from "./talk.ts";

const folder = fileURLToPath(new URL("../../services", import.meta.url));

const portNumber = z.int().min(1).max(65_535);
/** `49152-65535`. */
const portOrRange = z.union([portNumber, z.string().refine((text) => parsePorts(text) !== undefined)]);

/** services/NAME.yaml: what a well-known service is, so that a site file need only name it. */
export const profileSchema = z.strictObject({
	/** For people. */
	title: z.string(),
	/** Port inside the server, the one that is asked whether the service is well; `everything`: all protocols and ports. */
	port: z.union([portNumber, z.literal("everything")]),
	/** `http`: requests that may be repeated are, when a failure cuts them off; `tcp` and `udp`: passed through as it is. */
	protocol: z.enum(["http", "tcp", "udp"]),
	/** Ports that belong to it as well. */
	also: z
		.strictObject({ tcp: z.array(portOrRange).default([]), udp: z.array(portOrRange).default([]) })
		.default({ tcp: [], udp: [] }),
	/** `address`: only at an address of the server's own, as its protocol names addresses and ports to its clients. */
	through: z.enum(["address"]).optional(),
	/** How it is asked whether it is well; a page of `http` and a connection of `tcp` when left out. */
	health: talkSchema.optional(),
	/** A server that closes the connection, or answers otherwise, is well too: one that hangs keeps it open. */
	hangUp: z.literal("well").optional(),
	...timesSchema,
	/** Where that is written. */
	source: z.string(),
	/** What to know before it is let out. */
	note: z.string().default(""),
});
export type ServiceProfile = z.infer<typeof profileSchema>;

/** All profiles, by name in alphabetical order. @throws Error for a file of another shape: they ship with Bulkhead */
function readCatalogue(): Readonly<Record<string, ServiceProfile>> {
	const names = readdirSync(folder)
		.flatMap((file) => /^([a-z][a-z0-9-]*)\.yaml$/.exec(file)?.[1] ?? [])
		.sort();
	return Object.fromEntries(
		names.map((name) => [
			name,
			profileSchema.parse(parse(readFileSync(join(folder, `${name}.yaml`), "utf8"))),
		]),
	);
}

/** The services that Bulkhead knows by name. */
export const serviceCatalogue = readCatalogue();

/** @returns the profile, or undefined: also for names such as `constructor` */
export function profileOf(service: string): ServiceProfile | undefined {
	return named(serviceCatalogue, service);
}

/** Ports that belong to a service besides its own. */
export function alsoOf({ also }: ServiceProfile): PortRange[] {
	return (["tcp", "udp"] as const).flatMap((protocol) =>
		also[protocol].map((each) => {
			const [first, last] = parsePorts(`${each}`) ?? [0, 0];
			return { protocol, first, last };
		}),
	);
}

/** The catalogue as it is shown. */
export function servicesView(): ServiceView[] {
	return Object.entries(serviceCatalogue).map(([name, profile]) => {
		const { title, port, protocol, through, source, note } = profile;
		const ranges = alsoOf(profile).map((range) => `${range.protocol} ${rangeText(range)}`);
		return {
			...{ name, title, protocol, source, note },
			port: port === "everything" ? null : port,
			ports:
				port === "everything" ? ["everything"] : [`${protocol === "udp" ? "udp" : "tcp"} ${port}`, ...ranges],
			through: through ?? "either",
			health: healthOf(profile),
		};
	});
}

function healthOf({ health, protocol, port }: ServiceProfile): ServiceView["health"] {
	if (port === "everything" || protocol === "udp") return "none";
	if (health) return "answer";
	return protocol === "http" ? "page" : "connection";
}

/** As `49152-65535`, or one port alone. */
export function rangeText({ first, last }: PortRange): string {
	return first === last ? `${first}` : `${first}-${last}`;
}
