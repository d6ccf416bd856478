import { z } from "zod";
import { parseSize } from "../api/units.ts";

const size = z.string().refine((text) => parseSize(text) !== undefined, { error: "is not a size" });

/** templates/NAME/template.yaml: what a template is, and what its guests need. */
export const templateSchema = z.strictObject({
	name: z.string(),
	summary: z.string(),
	/** Whether anything to keep lives on the system disk, unless the site says otherwise. */
	systemDisk: z.strictObject({ use: z.enum(["kept", "disposable"]), size }),
	/** Data disks, by name, without which its guests serve nothing. */
	dataDisks: z.array(z.string()).default([]),
	/** The one of them that a domain has to be made on before a server starts for the first time. */
	domainDisk: z.string().nullable().default(null),
	memory: size,
	cpus: z.int().min(1),
	boot: z.strictObject({ append: z.string() }),
	/** Its guests run qemu-guest-agent. */
	agent: z.boolean(),
	services: z.array(
		z.strictObject({
			name: z.string(),
			port: z.int(),
			protocol: z.enum(["http", "tcp"]),
			health: z.strictObject({ path: z.string() }).optional(),
			/** Pages that a session is asked before it stands by, unless the site says otherwise. */
			rehearse: z.array(z.string()).optional(),
		}),
	),
	/** Debian packages whose versions its images depend on. */
	packages: z.array(z.string()).default([]),
	/** About how long building takes, for the progress bar. */
	expectedSeconds: z.number().default(60),
});
export type Template = z.infer<typeof templateSchema>;
