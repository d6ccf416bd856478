import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { z } from "zod";
import type { ServiceView } from "../api/service.ts";
import { talkSchema, timesSchema } from "./talk.ts";

const folder = fileURLToPath(new URL("../../services", import.meta.url));

/** services/NAME.yaml: what a well-known service is, so that a site file need only name it. */
export const profileSchema = z.strictObject({
	/** For people. */
	title: z.string(),
	/** TCP port inside the server. */
	port: z.int().min(1).max(65_535),
	/** `http`: requests that may be repeated are, when a failure cuts them off; `tcp`: passed through as it is. */
	protocol: z.enum(["http", "tcp"]),
	/** How it is asked whether it is well; a page of `http` and a connection of `tcp` when left out. */
	health: talkSchema.optional(),
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
	return Object.hasOwn(serviceCatalogue, service) ? serviceCatalogue[service] : undefined;
}

/** The catalogue as it is shown. */
export function servicesView(): ServiceView[] {
	return Object.entries(serviceCatalogue).map(([name, { health, everyMs: _, withinMs: __, ...profile }]) => ({
		name,
		...profile,
		health: health ? "answer" : profile.protocol === "http" ? "page" : "connection",
	}));
}
