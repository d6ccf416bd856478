import { expect, test } from "vitest";
import { checkSite } from "./site-check.ts";
import { siteJsonSchema } from "./site-json-schema.ts";

/** A part of the JSON Schema of site files. */
interface Part {
	type?: string;
	const?: unknown;
	enum?: unknown[];
	properties?: Record<string, Part>;
	additionalProperties?: Part | false;
	items?: Part;
	anyOf?: Part[];
	oneOf?: Part[];
}

/** What people write by a slip of the hand, and what does not end. */
const slips = [
	null,
	true,
	5,
	-1,
	1.5,
	"",
	"a slip",
	"x".repeat(2000),
	[],
	["a slip"],
	[null],
	{},
	{ slip: 1 },
	Array.from({ length: 300 }, () => ({})),
	Array.from({ length: 300 }, () => "a"),
];

/** Texts of zod, which say what it expected and not what to do. */
const zods = /^(Invalid|Too (big|small)|Unrecognized|Expected|Required)|expected /i;

/** Every place in a site, as what is built around a value at it. */
function* placesIn(part: Part, around: (value: unknown) => unknown): Generator<(value: unknown) => unknown> {
	yield around;
	for (const one of [...(part.anyOf ?? []), ...(part.oneOf ?? [])]) yield* placesIn(one, around);
	const { properties = {} } = part;
	const known = Object.entries(properties).filter(([, { const: value }]) => value !== undefined);
	const fixed = Object.fromEntries(known.map(([key, { const: value }]) => [key, value]));
	for (const [key, inner] of Object.entries(properties))
		yield* placesIn(inner, (value) => around({ ...fixed, [key]: value }));
	if (part.additionalProperties) yield* placesIn(part.additionalProperties, (value) => around({ a: value }));
	if (part.items) yield* placesIn(part.items, (value) => around([value]));
}

test("whatever stands in a site file by a slip is answered in words that say what to write", () => {
	const places = [...placesIn(JSON.parse(siteJsonSchema()), (value) => value)];
	expect(places.length).toBeGreaterThan(140);
	const unhelpful = new Set<string>();
	for (const place of places)
		for (const slip of slips)
			for (const { path, message } of checkSite(place(slip)).problems)
				if (zods.test(message)) unhelpful.add(`${path.join(".")}: ${message}`);
	expect([...unhelpful].slice(0, 100)).toEqual([]);
});
