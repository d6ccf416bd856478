import { BadImage } from "./source.ts";

export interface Node {
	name: string;
	attributes: Record<string, string>;
	children: Node[];
	/** All text that is directly in it. */
	text: string;
}

const deepest = 32;
const mostNodes = 100_000;
const token =
	/<\/([\w:.-]+)\s*>|<([\w:.-]+)((?:\s+[\w:.-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>|<\?[^<>]*\?>|([^<]+)/y;

/**
 * Reads the XML that a WIM file ends with: elements, attributes, text. What has declarations, comments or entities of its own
 * is none of Microsoft's, and is refused.
 * @throws BadImage
 */
export function parseXml(text: string): Node {
	const top: Node = { name: "", attributes: {}, children: [], text: "" };
	const open = [top];
	let count = 0;
	token.lastIndex = 0;
	while (token.lastIndex < text.length) {
		const [whole, closes, begins, attributes = "", empty, words] = token.exec(text) ?? [];
		const inner = open.at(-1);
		if (whole === undefined || !inner || ++count > mostNodes) throw damaged();
		if (words !== undefined) inner.text += decode(words);
		else if (begins !== undefined) {
			const node = { name: begins, attributes: attributesOf(attributes), children: [], text: "" };
			inner.children.push(node);
			if (!empty) open.push(node);
			if (open.length > deepest) throw damaged();
		} else if (closes !== undefined && open.pop()?.name !== closes) throw damaged();
	}
	const [root] = top.children;
	if (open.length !== 1 || !root || top.children.length !== 1) throw damaged();
	return root;
}

function damaged(): BadImage {
	return new BadImage("its list of editions is damaged");
}

function attributesOf(text: string): Record<string, string> {
	const found = text.matchAll(/([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g);
	return Object.fromEntries([...found].map((match) => [match[1], decode(match[2] ?? match[3] ?? "")]));
}

const entities: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function decode(text: string): string {
	return text.replace(/&(?:#(\d{1,7})|#x([0-9a-fA-F]{1,6})|(\w+));/g, (_, decimal, hex, name) => {
		if (name !== undefined) {
			const known = String(name);
			if (!Object.hasOwn(entities, known)) throw damaged();
			return entities[known] ?? "";
		}
		const code = Number.parseInt(String(decimal ?? hex), decimal === undefined ? 16 : 10);
		if (code > 0x10ffff) throw damaged();
		return String.fromCodePoint(code);
	});
}
