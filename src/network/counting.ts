import { stat } from "node:fs/promises";
import { z } from "zod";
import { inside, pathOf } from "./namespace.ts";

const listed = z.object({
	nftables: z.array(
		z.object({ table: z.object({ family: z.string(), name: z.string(), handle: z.int() }).optional() }),
	),
});

/**
 * What names all that a table of nftables counts, for as long as it goes on: a boot of the host, a namespace that is made again,
 * and a table that is, begin at 0 under another name. The name of the namespace comes first.
 * @param table of the family inet; when there is none, that has a name too
 * @throws CommandError, Error when there is no namespace
 */
export async function countingIn(
	namespace: string,
	table: "bulkhead" | "outbound",
	bootId: string,
): Promise<string> {
	const text = await inside(namespace, ["nft", "-j", "list", "tables"]);
	const all = listed.parse(JSON.parse(text)).nftables.flatMap((one) => one.table ?? []);
	const handle = all.find(({ family, name }) => family === "inet" && name === table)?.handle ?? "none";
	// The kernel gives a number to another namespace when the one that had it is gone.
	const { ino, mtimeNs } = await stat(pathOf(namespace), { bigint: true });
	return `${namespace} ${bootId} ${ino}.${mtimeNs} ${table}.${handle}`;
}
