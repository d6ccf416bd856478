import { type Iso9660, openIso9660 } from "./iso9660.ts";
import { BadImage, type Extents, fileSource, type Source } from "./source.ts";
import { openUdf } from "./udf.ts";
import { readWim, type WimImage } from "./wim.ts";

/** What an installation medium tells of itself. */
export interface Medium {
	/** Of the volume. */
	label: string;
	/** Which Windows it installs, by the names of the site file; null for one that is not in the table. */
	version: string | null;
	/** Where its editions are listed; null for Windows of before 2008, which has none. */
	image: string | null;
	editions: WimImage[];
}

/** In this order: media made by Microsoft's tool have .esd, those on several disks .swm. */
const images = [
	"sources/install.wim",
	"sources/install.esd",
	"sources/install.swm",
	"x64/sources/install.esd",
];

/** First build of each, newest first; those between them were never in the table. */
const servers = [
	[26_100, "windows-server-2025"],
	[20_348, "windows-server-2022"],
	[17_763, "windows-server-2019"],
	[14_393, "windows-server-2016"],
	[9600, "windows-server-2012-r2"],
	[7601, "windows-server-2008-r2"],
	[7600, "windows-server-2008-r2"],
] as const;

/** @throws BadImage when it is no Windows installation medium */
export function inspect(source: Source): Medium {
	const udf = openUdf(source);
	const iso = openIso9660(source);
	if (!udf && !iso) throw new BadImage("it is no ISO image: neither UDF nor ISO 9660 is on it");
	for (const path of images) {
		// Windows media have a note instead of their files in the older of the two file systems.
		const file: Extents | undefined = udf?.find(path) ?? iso?.find(path);
		if (!file) continue;
		const editions = readWim(fileSource(source, file));
		return {
			label: printable(udf?.label || iso?.label || ""),
			version: versionOf(editions),
			image: path,
			editions,
		};
	}
	const old = iso && oldVersion(iso);
	if (iso && old) return { label: printable(iso.label), version: old, image: null, editions: [] };
	throw new BadImage("it is no Windows installation medium: there is no sources/install.wim or .esd on it");
}

const printable = (text: string) => text.replace(/[^\x20-\x7e]/g, "").slice(0, 128);

function versionOf(editions: readonly WimImage[]): string | null {
	const [first] = editions.filter(({ build }) => build > 0);
	if (!first) return null;
	const { build, installationType, editionId } = first;
	if (/^Server/.test(installationType) || /^Server/.test(editionId))
		return servers.find(([from]) => (from === 26_100 ? build >= from : build === from))?.[1] ?? null;
	if (build >= 22_000) return "windows-11";
	if (build >= 10_240) return "windows-10";
	return build === 7600 || build === 7601 ? "windows-7" : null;
}

/** Files without content in the outermost folder tell Setup of these what it is on: Microsoft, Q232651 and its like. */
function oldVersion(iso: Iso9660): string | undefined {
	const names = iso.names().map((name) => name.toUpperCase());
	const has = (pattern: RegExp) => names.some((name) => pattern.test(name));
	if (!names.includes("I386")) return undefined;
	// WIN51IS, WIN51IA, WIN51IL, WIN51IB: the servers among those that have WIN51.
	if (names.includes("WIN51") && has(/^WIN51I[ASLB]$/)) return "windows-server-2003";
	return has(/^CDROM_I[PSA]\.5$/) || names.includes("CDROM_NT.5") ? "windows-2000" : undefined;
}
