/**
 * Writes docs/site.schema.json: the JSON Schema of site files, for editors.
 * Run it with: node scripts/site-schema.ts
 */
import { writeFileSync } from "node:fs";
import { siteJsonSchema } from "../src/api/site-json-schema.ts";

writeFileSync(new URL("../docs/site.schema.json", import.meta.url), siteJsonSchema());
