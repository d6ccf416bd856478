import { SaxesParser } from "saxes";
import { DescriptionError, longestDescription } from "./described.ts";

/** An element of an XML document; names are those without their namespaces. */
export interface XmlElement {
	name: string;
	attributes: ReadonlyMap<string, string>;
	children: XmlElement[];
	text: string;
}

const deepest = 40;
const mostElements = 50_000;

/**
 * Reads an XML document. One that declares a document type is refused, and with it every entity of its own: they can make
 * a kilobyte into a gigabyte, and name files of this host.
 * @throws DescriptionError
 */
export function readXml(text: string): XmlElement {
	if (text.length > longestDescription)
		throw new DescriptionError("is too long for the description of a machine");
	const parser = new SaxesParser({ xmlns: true });
	const open: XmlElement[] = [];
	let root: XmlElement | undefined;
	let count = 0;
	parser.on("doctype", () => {
		throw new DescriptionError(
			"declares a document type (DOCTYPE), which no description needs; take that line out",
		);
	});
	parser.on("error", (error) => {
		// Where, and not what: the file may be one that is not for whoever asks.
		const place = /(?:^|:)(\d+:\d+):/.exec(error.message)?.[1];
		throw new DescriptionError(
			`is no XML${place === undefined ? "" : ` (at ${place}, line and column)`}; write it again`,
		);
	});
	parser.on("opentag", (tag) => {
		if (open.length >= deepest || ++count > mostElements)
			throw new DescriptionError(
				"is nested too deeply or has too many parts for the description of a machine",
			);
		const attributes = new Map(Object.values(tag.attributes).map(({ local, value }) => [local, value]));
		const element = { name: tag.local, attributes, children: [], text: "" };
		open.at(-1)?.children.push(element);
		root ??= element;
		open.push(element);
	});
	parser.on("text", (text) => {
		const element = open.at(-1);
		if (element) element.text += text;
	});
	parser.on("closetag", () => void open.pop());
	parser.write(text).close();
	if (!root) throw new DescriptionError("is empty");
	return root;
}

/** The first child of that name, or the first that a path of names leads to. */
export function child(element: XmlElement | undefined, ...path: string[]): XmlElement | undefined {
	return path.reduce<XmlElement | undefined>(
		(found, name) => found?.children.find((inner) => inner.name === name),
		element,
	);
}

export function children(element: XmlElement | undefined, name: string): XmlElement[] {
	return element?.children.filter((inner) => inner.name === name) ?? [];
}

/** All elements of that name, however deep. */
export function* descendants(element: XmlElement, name: string): Generator<XmlElement> {
	for (const inner of element.children) {
		if (inner.name === name) yield inner;
		yield* descendants(inner, name);
	}
}

export function textIn(element: XmlElement | undefined, ...path: string[]): string {
	return child(element, ...path)?.text.trim() ?? "";
}
