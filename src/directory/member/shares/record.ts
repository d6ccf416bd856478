import { rm } from "node:fs/promises";
import { explain } from "../../../api/errors.ts";
import { readIfThere, syncFolder, writeFileAtomic } from "../../../host/files.ts";
import { type Adding, addingSchema, type Shares, shareFiles, sharesSchema } from "./plan.ts";

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
	await write(folder, shareFiles(folder).record, shares);
}

/** @returns the share that was being added when that was interrupted. @throws Error as `readShares` */
export async function readAdding(folder: string): Promise<Adding | undefined> {
	const file = shareFiles(folder).adding;
	try {
		const text = await readIfThere(file);
		return text === undefined ? undefined : addingSchema.parse(JSON.parse(text));
	} catch (error) {
		throw new Error(
			`which folder was about to be shared cannot be read from ${file} (${explain(error)}); put it right, or delete it and look at the rights on that folder (getfacl)`,
			{ cause: error },
		);
	}
}

/** @param adding undefined when it is added, or not to be */
export async function writeAdding(folder: string, adding: Adding | undefined): Promise<void> {
	await write(folder, shareFiles(folder).adding, adding);
}

async function write(folder: string, file: string, content: object | undefined): Promise<void> {
	if (content) return await writeFileAtomic(file, `${JSON.stringify(content, null, "\t")}\n`, 0o600);
	await rm(file, { force: true });
	await syncFolder(folder);
}
