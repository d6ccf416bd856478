import { rm } from "node:fs/promises";
import { explain } from "../../../api/errors.ts";
import { readIfThere, syncFolder, writeFileAtomic } from "../../../host/files.ts";
import { type Shares, shareFiles, sharesSchema } from "./plan.ts";

/**
 * @param folder that of the membership
 * @returns the shares that there are. @throws Error when they cannot be read, with the file and what to do
 */
export async function readShares(folder: string): Promise<Shares | undefined> {
	const file = shareFiles(folder).record;
	try {
		const text = await readIfThere(file);
		return text === undefined ? undefined : sharesSchema.parse(JSON.parse(text));
	} catch (error) {
		throw new Error(
			`which folders are shared cannot be read from ${file} (${explain(error)}); put it right, or delete it and share them again`,
			{ cause: error },
		);
	}
}

/** @param shares undefined when there are none any more */
export async function writeShares(folder: string, shares: Shares | undefined): Promise<void> {
	const { record } = shareFiles(folder);
	if (shares) return await writeFileAtomic(record, `${JSON.stringify(shares, null, "\t")}\n`, 0o600);
	await rm(record, { force: true });
	await syncFolder(folder);
}
