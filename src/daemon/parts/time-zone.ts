import { existsSync } from "node:fs";
import { join } from "node:path";
import { ianaTimeZones } from "../../api/windows-time-zones.ts";

/** glibc's; a confined QEMU has the host's /usr. */
const zoneFolder = "/usr/share/zoneinfo";

/**
 * The environment of a QEMU whose guest takes its clock to show local time, as Windows does: `-rtc base=localtime` is
 * the local time of QEMU's process, which `TZ` decides. glibc takes a zone that it has no file of to be UTC, and says nothing.
 * @param wanted the guest's time zone, by IANA's name or Windows's; undefined where nobody has said it
 * @returns `missing` when the wanted one is not known here, and the host's is taken instead
 */
export function localTime(
	wanted: string | undefined,
	folder = zoneFolder,
): { environment: { TZ: string }; missing: boolean } {
	const names = wanted === undefined ? [] : ianaTimeZones(wanted);
	const found = names.find((name) => existsSync(join(folder, name)));
	const zone = found ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
	return { environment: { TZ: `:${zone}` }, missing: wanted !== undefined && found === undefined };
}
