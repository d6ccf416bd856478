import { DescriptionError, shown } from "./described.ts";

/** A line of a package's manifest (.mf): what a file's contents have to come to. */
export interface Expected {
	/** Without a leading `./`. */
	file: string;
	algorithm: "sha1" | "sha256" | "sha512";
	digest: string;
}

const longestManifest = 1_000_000;

/** A name within a package: `tar` writes `./erp.ovf` when it is told to take a folder. */
export const plainName = (file: string) => file.replace(/^(?:\.\/)+/, "");

/** Reads `SHA256(erp-disk1.vmdk)= 1234…`; a line that is none is an error. @throws DescriptionError */
export function readManifest(text: string): Expected[] {
	if (text.length > longestManifest) throw new DescriptionError("has a manifest that is too long");
	const lines = text.split(/\r?\n/).filter((line) => line.trim() !== "");
	const told = new Set<string>();
	return lines.map((line) => {
		const [, name = "", written = "", digest = ""] =
			/^(SHA(?:1|256|512))\s*\((.+)\)\s*=\s*([0-9a-fA-F]+)\s*$/.exec(line) ?? [];
		if (name === "") throw new DescriptionError("has a manifest (.mf) that cannot be read; export it again");
		const file = plainName(written);
		// Each line costs a look at the whole file.
		if (told.has(`${name} ${file}`))
			throw new DescriptionError(`has a manifest (.mf) that names ${shown(file)} twice; export it again`);
		told.add(`${name} ${file}`);
		return { file, algorithm: name.toLowerCase() as Expected["algorithm"], digest: digest.toLowerCase() };
	});
}
