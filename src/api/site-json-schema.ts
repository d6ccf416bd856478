import { z } from "zod";
import { siteSchema } from "./site.ts";

/** @returns the JSON Schema (draft 2020-12) of site files, as text */
export function siteJsonSchema(): string {
	const schema = z.toJSONSchema(siteSchema, { io: "input" });
	return `${JSON.stringify({ title: "Bulkhead site", ...schema }, null, 2)}\n`;
}
