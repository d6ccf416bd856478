import { type Document, isMap, parseDocument, stringify } from "yaml";
import type { ServerDefinition } from "../api/site.ts";

/** Thrown for a site file that a server cannot be written into, in words for the user; nothing was changed. */
export class SiteEditError extends Error {
	override readonly name = "SiteEditError";
}

/**
 * Writes a server into the text of a site file; everything else of it, its comments too, stays as it is.
 * @param text of the site file; empty for a new one
 * @param site name for a new one
 * @throws SiteEditError when the text is no site file, or has a server of that name
 */
export function addServer(text: string, name: string, definition: ServerDefinition, site = "office"): string {
	const document = siteIn(text, site);
	if (document.hasIn(["servers", name]))
		throw new SiteEditError(`the site file has a server ${name} already; give the new one another name`);
	if (!isMap(document.get("servers"))) document.set("servers", document.createNode({}));
	document.setIn(["servers", name], document.createNode(definition));
	return document.toString({ lineWidth: 0 });
}

/** A server as it stands in a site file, to be shown. */
export function serverText(name: string, definition: ServerDefinition): string {
	return stringify({ [name]: definition }, { lineWidth: 0 }).trimEnd();
}

function siteIn(text: string, site: string): Document {
	const document = parseDocument(text.trim() === "" ? `name: ${site}\n` : text);
	const [error] = document.errors;
	if (error)
		throw new SiteEditError(`the site file is no YAML: ${error.message.split("\n")[0]}; mend that first`);
	const servers = document.get("servers");
	if (!isMap(document.contents) || (servers !== undefined && servers !== null && !isMap(servers)))
		throw new SiteEditError("the site file is no list of settings with `servers:` below it; mend that first");
	return document;
}
