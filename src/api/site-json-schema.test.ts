import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { siteJsonSchema } from "./site-json-schema.ts";

test("docs/site.schema.json is what the schemas say; `node scripts/site-schema.ts` writes it", () => {
	const published = readFileSync(new URL("../../docs/site.schema.json", import.meta.url), "utf8");
	expect(published).toBe(siteJsonSchema());
});
