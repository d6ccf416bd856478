import type { GuestName } from "../../api/guest.ts";

/**
 * What each house calls the systems that run in its machines: VMware's guestOS (`windows2019srv-64`), osType
 * (`windows2019srv_64Guest`) and words (`Microsoft Windows Server 2019 (64-bit)`), VirtualBox' OSType (`Windows2019_64`),
 * Proxmox' ostype (`win10`), libosinfo's ids (`http://microsoft.com/win/2k19`). The first that fits is it.
 */
const guesses: readonly [RegExp, GuestName][] = [
	// It has "win" in it.
	[/darwin/, "other"],
	[/windows2022srvnext|win(dows)?[ /_-]*(server[ _-]*)?(2025|2k25)/, "windows-server-2025"],
	[/windows2019srvnext|win(dows)?[ /_-]*(server[ _-]*)?(2022|2k22)/, "windows-server-2022"],
	[/win(dows)?[ /_-]*(server[ _-]*)?(2019|2k19)/, "windows-server-2019"],
	[/windows9s(rv|erver)|win(dows)?[ /_-]*(server[ _-]*)?(2016|2k16)/, "windows-server-2016"],
	[/windows8srv|windows8server|win(dows)?[ /_-]*(server[ _-]*)?(2012|2k12)/, "windows-server-2012-r2"],
	[
		/windows7srv|windows7server|longhorn|win(dows)?[ /_-]*(server[ _-]*)?(2008|2k8)|w2k8/,
		"windows-server-2008-r2",
	],
	[/winnet|win(dows)?[ /_-]*(server[ _-]*)?(2003|2k3|xp)|w2k3/, "windows-server-2003"],
	[/win(dows)?[ /_-]*(server[ _-]*)?(2000|2k$)|w2k$/, "windows-2000"],
	[/win(dows)?[ /_-]*nt/, "windows-nt4"],
	[/win(dows)?[ /_-]*11/, "windows-11"],
	// VMware's 9 is 10; 95 and 98 are older.
	[/windows[ _-]*9(?![58x])|win(dows)?[ /_-]*10/, "windows-10"],
	[/win(dows)?[ /_-]*7/, "windows-7"],
	[/freebsd/, "freebsd"],
	[
		/linux|debian|ubuntu|cent[ -]?os|red[ ]?hat|rhel|fedora|suse|sles|opensuse|oracle|rocky|alma|arch|gentoo|alpine|mint|photon|^l2[46]$/,
		"linux",
	],
];

/** Names have a few words; each pattern goes through all of it. */
const longestName = 1000;

/** @returns what the guest runs, as far as a name tells; `other` when none does */
export function guessGuest(...names: (string | undefined)[]): GuestName {
	for (const name of names) {
		const text = (name ?? "").slice(0, longestName).toLowerCase();
		const found = guesses.find(([pattern]) => pattern.test(text));
		if (found) return found[1];
	}
	return "other";
}
