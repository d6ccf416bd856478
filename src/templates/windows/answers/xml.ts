/**
 * The little XML that answer files are made of: elements with attributes that hold either elements or a text. No library:
 * what is written has neither comments nor entities of its own, and all there is to get right is the five characters below.
 */
export interface Element {
	readonly name: string;
	readonly attributes: Readonly<Record<string, string>>;
	readonly content: readonly Element[] | string;
}

export function element(
	name: string,
	content: readonly (Element | undefined)[] | string | number | boolean,
	attributes: Readonly<Record<string, string>> = {},
): Element {
	const inner = Array.isArray(content)
		? content.filter((child) => child !== undefined)
		: String(content as string | number | boolean);
	return { name, attributes, content: inner };
}

/** An item of a list, as Microsoft's setup wants it marked. */
export function item(name: string, content: readonly (Element | undefined)[], key?: number): Element {
	return element(name, content, {
		"wcm:action": "add",
		...(key === undefined ? {} : { "wcm:keyValue": String(key) }),
	});
}

const entities: Readonly<Record<string, string>> = {
	"&": "&amp;",
	"<": "&lt;",
	">": "&gt;",
	'"': "&quot;",
	"'": "&apos;",
};

/** What XML 1.0 cannot hold in any way: control characters, half characters. */
const unspeakable = /[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/u;

/** @throws Error when the text has characters that no XML file can hold */
export function escapeXml(text: string): string {
	if (unspeakable.test(text)) throw new Error("a text has characters that an answer file cannot hold");
	// Carriage returns and line feeds would be read as spaces or other line ends.
	return text
		.replace(/[&<>"']/g, (character) => entities[character] ?? "")
		.replace(/[\t\n\r]/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** The file's text, indented by two spaces, with Windows's line ends. */
export function xmlFile(root: Element): string {
	return ['<?xml version="1.0" encoding="utf-8"?>', ...lines(root, ""), ""].join("\r\n");
}

function lines({ name, attributes, content }: Element, indentation: string): string[] {
	const given = Object.entries(attributes).map(([key, value]) => ` ${key}="${escapeXml(value)}"`);
	const begin = `${indentation}<${name}${given.join("")}`;
	if (typeof content === "string") return [`${begin}>${escapeXml(content)}</${name}>`];
	if (content.length === 0) return [`${begin}/>`];
	return [
		`${begin}>`,
		...content.flatMap((child) => lines(child, `${indentation}  `)),
		`${indentation}</${name}>`,
	];
}
