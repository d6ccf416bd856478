import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { BulkheadError } from "../api/errors.ts";
import { nearest } from "../api/strict.ts";
import { readIfThere } from "../host/files.ts";
import { type Template, templateSchema } from "./template.ts";

/** The templates that Bulkhead brings along. */
export const shipped = fileURLToPath(new URL("../../templates", import.meta.url));

export async function templateNames(): Promise<string[]> {
	const entries = await readdir(shipped, { withFileTypes: true });
	const found = await Promise.all(
		entries.map(async ({ name }) =>
			(await readIfThere(join(shipped, name, "template.yaml"))) === undefined ? [] : [name],
		),
	);
	return found.flat().sort();
}

/** @throws BulkheadError bad-input, when there is no such template */
export async function readTemplate(name: string): Promise<Template> {
	const names = await templateNames();
	if (!names.includes(name)) {
		const near = nearest(name, names);
		const mend = near ? `did you mean "${near}"?` : `there are: ${names.join(", ")}`;
		throw new BulkheadError("bad-input", `there is no template ${name}; ${mend}`);
	}
	return templateSchema.parse(parse(await readFile(join(shipped, name, "template.yaml"), "utf8")));
}
