import { access } from "node:fs/promises";
import { join } from "node:path";
import { BulkheadError } from "../../../api/errors.ts";

/** What serving files needs of the host, by Debian's package: any one of the places of each. */
const needed: Readonly<Record<string, readonly string[][]>> = {
	samba: [["/usr/sbin/smbd"], ["/usr/bin/smbcontrol"]],
	"samba-vfs-modules": [inLibraries("samba/vfs/acl_xattr.so")],
	// smbd asks libc who somebody is.
	"libnss-winbind": [inLibraries("libnss_winbind.so.2")],
	acl: [["/bin/setfacl", "/usr/bin/setfacl"]],
	attr: [["/usr/bin/setfattr", "/bin/setfattr"]],
};

function inLibraries(file: string): string[] {
	return ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib"].map((folder) =>
		join(folder, file),
	);
}

/** @returns Debian's packages that are missing on this host */
export async function lackingForShares(): Promise<string[]> {
	const found = Object.entries(needed).map(async ([name, files]) => {
		const there = await Promise.all(
			files.map(async (places) => (await Promise.all(places.map(isThere))).includes(true)),
		);
		return there.includes(false) ? [name] : [];
	});
	return (await Promise.all(found)).flat();
}

async function isThere(path: string): Promise<boolean> {
	return await access(path).then(
		() => true,
		() => false,
	);
}

/** @throws BulkheadError host-lacks */
export async function requireForShares(): Promise<void> {
	const lacking = await lackingForShares();
	if (lacking.length === 0) return;
	const words = `needs Debian's ${lacking.join(", ")}; as root: apt-get install --no-install-recommends ${lacking.join(" ")}`;
	// Debian starts the daemons of this package by itself, at all addresses of the host.
	const own = lacking.includes("samba")
		? "; then systemctl disable --now smbd nmbd, where nobody needs those"
		: "";
	throw new BulkheadError("host-lacks", `sharing folders ${words}${own}`);
}
