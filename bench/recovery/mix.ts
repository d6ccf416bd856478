import type { RequestKind } from "../open-loop/request.ts";

const KiB = 2 ** 10;
const sizes = [
	{ name: "1k", bytes: KiB, weight: 80 },
	{ name: "16k", bytes: 16 * KiB, weight: 15 },
	{ name: "256k", bytes: 256 * KiB, weight: 4 },
	{ name: "1m", bytes: 2 ** 20, weight: 1 },
] as const;
/** Of all requests. */
const postShare = 0.1;

/** Bodies from 1 KB to 1 MB both ways, a tenth POSTs: what the template tiny serves for this bench. */
export const mixed: readonly RequestKind[] = sizes.flatMap(({ name, bytes, weight }): RequestKind[] => [
	{
		weight: weight * (1 - postShare),
		method: "GET",
		path: `/bytes/${name}`,
		answer: { same: true, length: bytes },
	},
	{
		weight: weight * postShare,
		method: "POST",
		path: "/cgi-bin/note?id={id}",
		sends: bytes,
		// One whole line: its end proves that nothing is missing.
		answer: { matches: "^[^\\n]+\\n$" },
	},
]);

/** What a template without those pages can be asked: small answers only, and POSTs that nobody counts. */
export const plain: readonly RequestKind[] = [
	{ weight: 90, method: "GET", path: "/", answer: { matches: "^server=.* session=\\d+ boot=\\S+\\n$" } },
	{
		weight: 10,
		method: "POST",
		path: "/cgi-bin/count?id={id}",
		sends: KiB,
		answer: { matches: "^\\d+\\n$" },
	},
];

/** @returns the mixed load where the guest can serve it, else the plain one */
export async function mixFor(
	url: string,
): Promise<{ name: "mixed" | "plain"; kinds: readonly RequestKind[] }> {
	const { status } = await fetch(`${url}/bytes/1k`, { signal: AbortSignal.timeout(60_000) });
	return status === 200 ? { name: "mixed", kinds: mixed } : { name: "plain", kinds: plain };
}
