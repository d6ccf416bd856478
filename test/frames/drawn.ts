import type { Screen } from "../stand-in/build.ts";
import { drawnFont } from "../stand-in/psf.ts";
import * as bootvid from "../stand-in/screens/bootvid.ts";
import * as modern from "../stand-in/screens/modern.ts";
import { render, type Size } from "../stand-in/screens/svg.ts";
import * as text from "../stand-in/screens/text.ts";
import * as working from "../stand-in/screens/working.ts";
import type { Truth } from "./truth.ts";

/** A screen that the stand-in draws for the frames, and what stands on it. */
export interface Drawn {
	name: string;
	screen: Screen;
	truth: Truth;
}

const vga: Size = { width: 640, height: 480 };
const svga: Size = { width: 800, height: 600 };
const xga: Size = { width: 1024, height: 768 };
const wide: Size = { width: 1280, height: 800 };
const full: Size = { width: 1920, height: 1080 };

const ntIrql: text.Stop = {
	code: 0x0a,
	parameters: ["0x00000000", "0x0000001A", "0x00000000", "0xFC873D6C"],
	name: "IRQL_NOT_LESS_OR_EQUAL",
	module: { name: "i8042prt.SYS", address: "fc873d6c", base: "fc870000", stamp: "31167860" },
};
const ntBoot: text.Stop = {
	code: 0x7b,
	parameters: ["0xFC6B4D20", "0x00000000", "0x00000000", "0x00000000"],
	name: "INACCESSIBLE_BOOT_DEVICE",
};
const ntException: text.Stop = {
	code: 0x1e,
	parameters: ["0xC0000005", "0x80134B9A", "0x00000001", "0xFE25E7F2"],
	name: "KMODE_EXCEPTION_NOT_HANDLED",
	module: { name: "win32k.sys", address: "80134b9a", base: "80100000", stamp: "335157ac" },
};
const driver2000: text.Stop = {
	code: 0xd1,
	parameters: ["0x00000024", "0x00000002", "0x00000001", "0xBFF4C37A"],
	name: "DRIVER_IRQL_NOT_LESS_OR_EQUAL",
	module: { name: "tcpip.sys", address: "BFF4C37A", base: "BFF30000", stamp: "3ef274dc" },
};
const boot2000: text.Stop = {
	code: 0x7b,
	parameters: ["0xF241B84C", "0xC0000034", "0x00000000", "0x00000000"],
	name: "INACCESSIBLE_BOOT_DEVICE",
};
const pageXp: text.Stop = {
	code: 0x50,
	parameters: ["0xFD3094C2", "0x00000001", "0xFBFE7617", "0x00000000"],
	name: "PAGE_FAULT_IN_NONPAGED_AREA",
	module: { name: "SPCMDCON.SYS", address: "FBFE7617", base: "FBFE5000", stamp: "3d6dd67c" },
};
const ntfsXp: text.Stop = {
	code: 0x24,
	parameters: ["0x001902FE", "0xF78D65B4", "0xF78D62B0", "0xF743E5DA"],
	name: "NTFS_FILE_SYSTEM",
};
const manual: text.Stop = {
	code: 0xe2,
	parameters: ["0x00000000", "0x00000000", "0x00000000", "0x00000000"],
	name: "",
};
const driver7: text.Stop = {
	code: 0xd1,
	parameters: ["0xFFFFF8A0019C2000", "0x0000000000000002", "0x0000000000000000", "0xFFFFF880043F1AD7"],
	name: "DRIVER_IRQL_NOT_LESS_OR_EQUAL",
	module: { name: "storport.sys", address: "FFFFF880043F1AD7", base: "FFFFF880043E8000", stamp: "4ce7a456" },
};
const nmi7: text.Stop = {
	code: 0x80,
	parameters: ["0x00000000004F4454", "0x0000000000000000", "0x0000000000000000", "0x0000000000000000"],
	name: "NMI_HARDWARE_FAILURE",
};

/** What can be told of letters that no table has: those that known sentences teach, and a code by its name. */
const partly = ({ code, name, module }: text.Stop, withModule = false): text.Stop => ({
	code,
	parameters: [],
	name,
	...(module && withModule ? { module } : {}),
});

type BlueTruth = Pick<Truth, "dump" | "percent">;

function crash(era: string, stop: text.Stop | undefined, more: BlueTruth): Truth {
	if (!stop) return { kind: "blue-screen", era, ...more };
	const read = {
		code: stop.code,
		parameters: stop.parameters.map((value) => value.toLowerCase()),
		...(stop.name ? { name: stop.name } : {}),
		...(stop.module ? { module: stop.module.name } : {}),
	};
	return { kind: "blue-screen", era, stop: read, ...more };
}

const nt4 = (stop: text.Stop, dump: "none" | "writing" | "done") => crash("nt4", stop, { dump });
const classic = (stop: text.Stop, dump: string, percent?: number) =>
	crash("2000-to-2008-r2", stop, { dump, ...(percent === undefined ? {} : { percent }) });

/** Drawn in text mode. */
function textScreens(): Drawn[] {
	const started = text.nt4Start();
	const checked = text.nt4Start(
		"",
		"The type of the file system is NTFS.  Checking file system on C:",
		"CHKDSK is verifying files...",
	);
	return [
		{ name: "nt4-irql", screen: text.nt4BlueScreen(ntIrql), truth: nt4(ntIrql, "none") },
		{ name: "nt4-boot-device", screen: text.nt4BlueScreen(ntBoot), truth: nt4(ntBoot, "none") },
		{
			name: "nt4-dumping",
			screen: text.nt4BlueScreen(ntException, "writing"),
			truth: nt4(ntException, "writing"),
		},
		{
			name: "nt4-dumped",
			screen: text.nt4BlueScreen(ntException, "done", true),
			truth: nt4(ntException, "done"),
		},
		{ name: "nt4-starts", screen: started, truth: { kind: "text" } },
		{ name: "nt4-checks-disk", screen: checked, truth: { kind: "checking-disk" } },
		{ name: "bios-setup", screen: text.biosSetup(), truth: { kind: "text" } },
		{ name: "dialog", screen: text.dialog(), truth: { kind: "text" } },
		{ name: "windows-text-setup", screen: text.textSetup(), truth: { kind: "text" } },
		{ name: "windows-boot-manager", screen: text.bootManager(), truth: { kind: "text" } },
		{ name: "talk-of-stops", screen: text.talkOfStops(), truth: { kind: "text" } },
		{ name: "dos-prompt", screen: text.dosPrompt(), truth: { kind: "text" } },
		{ name: "black-text", screen: text.emptyText(), truth: { kind: "black" } },
	];
}

/** Drawn as bootvid.dll does, with the VGA BIOS' letters and with some that no table has. */
async function bootvidScreens(): Promise<Drawn[]> {
	const foreign = await drawnFont("Lat15-Terminus14");
	const { dump2000, dumpXp, dump7 } = bootvid;
	return [
		{ name: "2000-driver", screen: bootvid.windows2000(driver2000), truth: classic(driver2000, "none") },
		{
			name: "2000-dumping",
			screen: bootvid.windows2000(driver2000, dump2000(52)),
			truth: classic(driver2000, "writing", 52),
		},
		{ name: "2000-boot-device", screen: bootvid.windows2000(boot2000), truth: classic(boot2000, "none") },
		{ name: "xp-page-fault", screen: bootvid.windowsXp(pageXp), truth: classic(pageXp, "none") },
		{
			name: "xp-dumping",
			screen: bootvid.windowsXp(ntfsXp, dumpXp.writing),
			truth: classic(ntfsXp, "writing"),
		},
		{ name: "2003-dumped", screen: bootvid.windowsXp(pageXp, dumpXp.done), truth: classic(pageXp, "done") },
		{ name: "2003-manual", screen: bootvid.windowsXp(manual, dumpXp.done), truth: classic(manual, "done") },
		{
			name: "2008-r2-collecting",
			screen: bootvid.windowsXp(driver7, dump7.collecting),
			truth: classic(driver7, "writing"),
		},
		{
			name: "2008-r2-dumping",
			screen: bootvid.windowsXp(nmi7, dump7.writing(45)),
			truth: classic(nmi7, "writing", 45),
		},
		{ name: "7-dumped", screen: bootvid.windowsXp(nmi7, dump7.done), truth: classic(nmi7, "done", 100) },
		{
			name: "2000-foreign-font",
			screen: bootvid.windows2000(driver2000, dump2000(7), foreign),
			truth: classic(partly(driver2000), "writing"),
		},
		{
			name: "xp-foreign-font",
			screen: bootvid.windowsXp(pageXp, dumpXp.done, foreign),
			truth: classic(partly(pageXp), "done"),
		},
		{
			name: "2008-r2-foreign-font",
			screen: bootvid.windowsXp(driver7, dump7.writing(38), foreign),
			truth: classic(partly(driver7, true), "writing"),
		},
		{ name: "xp-checks-disk", screen: bootvid.checkDiskXp(), truth: { kind: "checking-disk" } },
		{ name: "2000-checks-disk", screen: bootvid.checkDisk2000(), truth: { kind: "checking-disk" } },
		{
			name: "xp-checks-disk-foreign-font",
			screen: bootvid.checkDiskXp(foreign),
			truth: { kind: "checking-disk" },
		},
		{ name: "xp-starts", screen: bootvid.startXp(), truth: { kind: "boot" } },
		{ name: "2000-starts", screen: bootvid.start2000(), truth: { kind: "other" } },
	];
}

type Drawing = [name: string, svg: string, truth: Truth];

const irql = "IRQL_NOT_LESS_OR_EQUAL";
const modernTruth = (era: string, dump: string, more: Partial<Truth> = {}): Truth => ({
	kind: "blue-screen",
	era,
	dump,
	...more,
});

/** Drawn in 32 bits a pixel. */
const blueScreens: Drawing[] = [
	[
		"8-1024",
		modern.windows8({ size: xga, background: "#1071aa", percent: 0, stopCode: "HAL_INITIALIZATION_FAILED" }),
		modernTruth("8-to-10", "unknown"),
	],
	[
		"8-1024-later",
		modern.windows8({ size: xga, background: "#1071aa", percent: 35, stopCode: "HAL_INITIALIZATION_FAILED" }),
		modernTruth("8-to-10", "writing", { before: "8-1024" }),
	],
	[
		"2012-r2-800",
		modern.windows8({ size: svga, background: "#1071aa", stopCode: "SYSTEM_SERVICE_EXCEPTION" }),
		modernTruth("8-to-10", "unknown"),
	],
	[
		"2012-server-1024",
		modern.windows8({ size: xga, background: "#0058a8", stopCode: irql, face: false }),
		modernTruth("8-to-10", "unknown", { faceless: true }),
	],
	[
		"10-1920",
		modern.windows10({ size: full, background: "#0078d7", percent: 20, stopCode: "CRITICAL_PROCESS_DIED" }),
		modernTruth("8-to-10", "unknown"),
	],
	[
		"10-1920-later",
		modern.windows10({ size: full, background: "#0078d7", percent: 75, stopCode: "CRITICAL_PROCESS_DIED" }),
		modernTruth("8-to-10", "writing", { before: "10-1920" }),
	],
	[
		"10-1920-done",
		modern.windows10({ size: full, background: "#0078d7", percent: 100, stopCode: "CRITICAL_PROCESS_DIED" }),
		modernTruth("8-to-10", "done", { percent: 100, before: "10-1920-later" }),
	],
	[
		"10-1024-module",
		modern.windows10({ size: xga, background: "#0078d7", percent: 0, stopCode: irql, module: "netio.sys" }),
		modernTruth("8-to-10", "unknown"),
	],
	[
		"10-1024-still",
		modern.windows10({ size: xga, background: "#0078d7", percent: 0, stopCode: irql, module: "netio.sys" }),
		modernTruth("8-to-10", "unknown", { before: "10-1024-module" }),
	],
	[
		"10-800-no-dump",
		modern.windows10({ size: svga, background: "#1071aa", stopCode: "MANUALLY_INITIATED_CRASH" }),
		modernTruth("8-to-10", "unknown"),
	],
	[
		"10-640",
		modern.windows10({ size: vga, background: "#0078d7", percent: 5, stopCode: "MEMORY_MANAGEMENT" }),
		modernTruth("8-to-10", "unknown"),
	],
	[
		"10-1280-device",
		modern.windows10({
			size: wide,
			background: "#1177bb",
			percent: 60,
			stopCode: "KERNEL_SECURITY_CHECK_FAILURE",
			called: "device",
		}),
		modernTruth("8-to-10", "unknown"),
	],
	[
		"2016-server-1024",
		modern.windows10({
			size: xga,
			background: "#0078d7",
			percent: 10,
			stopCode: irql,
			face: false,
			qr: false,
		}),
		modernTruth("8-to-10", "unknown", { faceless: true }),
	],
	[
		"2016-server-1024-later",
		modern.windows10({
			size: xga,
			background: "#0078d7",
			percent: 15,
			stopCode: irql,
			face: false,
			qr: false,
		}),
		modernTruth("8-to-10", "writing", { faceless: true, before: "2016-server-1024" }),
	],
	[
		"2019-server-800",
		modern.windows10({
			size: svga,
			background: "#0078d7",
			percent: 100,
			stopCode: "UNEXPECTED_KERNEL_MODE_TRAP",
			face: false,
			qr: false,
		}),
		modernTruth("8-to-10", "done", { faceless: true, percent: 100 }),
	],
	[
		"2022-server-1920",
		modern.windows10({
			size: full,
			background: "#1071aa",
			percent: 40,
			stopCode: "NMI_HARDWARE_FAILURE",
			face: false,
			qr: false,
			called: "device",
		}),
		modernTruth("8-to-10", "unknown", { faceless: true }),
	],
	[
		"10-insider-1280",
		modern.windows10({
			size: wide,
			background: "#0f7c10",
			percent: 25,
			stopCode: "DPC_WATCHDOG_VIOLATION",
			called: "Windows Insider Build",
		}),
		modernTruth("11", "unknown"),
	],
	[
		"11-dark-blue-1920",
		modern.windows10({ size: full, background: "#000080", percent: 30, stopCode: irql, called: "device" }),
		modernTruth("11", "unknown"),
	],
	[
		"11-black-face-1024",
		modern.windows10({ size: xga, background: "#000000", percent: 45, stopCode: irql, called: "device" }),
		modernTruth("11", "unknown"),
	],
	[
		"11-24h2-1920",
		modern.windows11({
			size: full,
			background: "#000000",
			percent: 0,
			stopCode: "CRITICAL_PROCESS_DIED (0xEF)",
		}),
		modernTruth("11", "unknown", { faceless: true }),
	],
	[
		"11-24h2-1920-later",
		modern.windows11({
			size: full,
			background: "#000000",
			percent: 80,
			stopCode: "CRITICAL_PROCESS_DIED (0xEF)",
		}),
		modernTruth("11", "writing", { faceless: true, before: "11-24h2-1920" }),
	],
	[
		"11-24h2-1024-module",
		modern.windows11({
			size: xga,
			background: "#000000",
			percent: 100,
			stopCode: "DRIVER_IRQL_NOT_LESS_OR_EQUAL (0xD1)",
			module: "tcpip.sys",
		}),
		modernTruth("11", "done", { faceless: true, percent: 100 }),
	],
	[
		"2025-server-1280",
		modern.windows11({
			size: wide,
			background: "#000000",
			percent: 20,
			stopCode: "MANUALLY_INITIATED_CRASH (0xE2)",
		}),
		modernTruth("11", "unknown", { faceless: true }),
	],
	[
		"11-24h2-insider-1024",
		modern.windows11({
			size: xga,
			background: "#0f7c10",
			percent: 55,
			stopCode: `${irql} (0xA)`,
			called: "device",
		}),
		modernTruth("11", "unknown", { faceless: true }),
	],
	[
		"10-1024-parameters",
		modern.windows10({
			size: xga,
			background: "#0078d7",
			percent: 0,
			stopCode: irql,
			parameters: ["0x0000000000000028", "0x0000000000000002", "0x0000000000000000", "0xFFFFF80B2D5A1D2C"],
		}),
		modernTruth("8-to-10", "unknown"),
	],
	[
		"10-1280-german",
		modern.windows10German({ size: wide, background: "#0078d7", percent: 100, stopCode: irql }),
		modernTruth("8-to-10", "done", { percent: 100 }),
	],
];

const updating: Truth = { kind: "updating" };
const boot: Truth = { kind: "boot" };
const other: Truth = { kind: "other" };
const working10 = (percent: number) => [`Working on updates  ${percent}%`, "Don't turn off your computer"];

const peaceful: Drawing[] = [
	["updates-10-30", working.updates10(xga, "#0078d7", working10(30)), updating],
	[
		"updates-10-31",
		working.updates10(xga, "#0078d7", working10(31), 2.1),
		{ ...updating, before: "updates-10-30" },
	],
	["updates-10-100", working.updates10(full, "#004e8c", working10(100), 3.9), updating],
	[
		"updates-10-800",
		working.updates10(svga, "#0078d7", ["Getting Windows ready", "Don't turn off your computer"], 1.2),
		updating,
	],
	[
		"updates-11-12",
		working.updates10(
			full,
			"#000000",
			["Updates are underway. Please keep your computer on.", "12% complete"],
			4.4,
			"Your computer may restart a few times",
		),
		updating,
	],
	[
		"updates-11-77",
		working.updates10(
			xga,
			"#000000",
			["Working on updates  77% complete.", "Please keep your computer on."],
			5.2,
			"Your computer may restart a few times",
		),
		updating,
	],
	[
		"updates-2012-30",
		working.updates8(xga, "#180052", [
			"Configuring Windows updates",
			"30% complete",
			"Do not turn off your computer",
		]),
		updating,
	],
	[
		"updates-8-blue",
		working.updates8(
			svga,
			"#0078d7",
			["Configuring Windows updates", "64% complete", "Do not turn off your computer"],
			2.8,
		),
		updating,
	],
	["updates-2008-r2-30", working.updates7(xga, 30), updating],
	["updates-2008-r2-95", working.updates7(svga, 95), updating],
	[
		"checks-disk-8",
		working.start8(xga, "Scanning and repairing drive (C:): 12% complete."),
		{ kind: "checking-disk" },
	],
	[
		"checks-disk-10",
		working.start8(full, "Scanning and repairing drive (C:): 100% complete.", 3.3, "#0078d7"),
		{ kind: "checking-disk" },
	],
	["starts-8-1024", working.start8(xga), boot],
	["starts-10-1920", working.start8(full, "", 2.2, "#0078d7"), boot],
	["starts-devices", working.start8(xga, "Getting devices ready 35%", 1.4), boot],
	["starts-repair", working.start8(svga, "Preparing Automatic Repair", 4.8), boot],
	["starts-7", working.start7(xga), boot],
	["login-2003", working.login2003(svga), other],
	["login-2008-r2", working.login7(xga), other],
	["lock-2012", working.lock(xga, "#1e5a8e"), other],
	["lock-2016", working.lock(full, "#0078d7"), other],
	["login-2016", working.login10(xga, "#0b5a9d"), other],
	["login-welcome", working.updates8(xga, "#0078d7", ["Welcome"]), other],
	["desktop-2000", working.desktop(svga, "#3a6ea5", "#d4d0c8"), other],
	["desktop-blue", working.desktop(full, "#0078d7", "#101010"), other],
	["desktop-busy", working.busy(xga), other],
	["customize-2016", working.customize(xga, "#0b64a0"), other],
	["powershell", working.powershell(xga), other],
	["sad-page", modern.sadPage(wide), other],
	["plain-blue", working.plain(xga, "#0078d7"), other],
	["plain-dark-blue", working.plain(vga, "#000080"), other],
	["repair-automatic", working.automaticRepair(xga), other],
	["repair-boot-failed", working.bootFailed(xga), other],
	["repair-boot-failed-1920", working.bootFailed(full), other],
	["black-1024", working.plain(xga, "#000000"), { kind: "black" }],
];

/** @param isWanted whether a frame of this name is to be drawn */
export async function drawn(isWanted: (name: string) => boolean): Promise<Drawn[]> {
	const pixels: Drawn[] = [];
	for (const [name, svg, truth] of [...blueScreens, ...peaceful]) {
		if (!isWanted(name)) continue;
		pixels.push({ name, screen: { mode: "pixels", picture: await render(svg) }, truth });
	}
	return [...[...textScreens(), ...(await bootvidScreens())].filter(({ name }) => isWanted(name)), ...pixels];
}
