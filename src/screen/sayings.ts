import type { BlueScreen, Seen } from "../api/screen.ts";
import { anyLetter } from "./cipher.ts";

/**
 * What screens of letters say. The words are Windows' and Linux' own: Microsoft's "Bug check code reference" and "Blue
 * screen data" (MicrosoftDocs/windows-driver-docs), the NT Server 4.0 resource kit's chapter on STOP messages, kernel/panic.c of Linux.
 */

/** Sentences of blue screens, from Windows 2000 to Server 2008 R2, long enough to be known by their shape. */
export const blueSentences = [
	"If this is the first time you've seen this Stop error screen,",
	"restart your computer. If this screen appears again, follow",
	"A problem has been detected and Windows has been shut down to prevent damage",
	"Check to make sure any new hardware or software is properly installed.",
	"If this is a new installation, ask your hardware or software manufacturer",
	"for any Windows updates you might need.",
	"If problems continue, disable or remove any newly installed hardware",
	"or software. Disable BIOS memory options such as caching or shadowing.",
	"If you need to use Safe Mode to remove or disable components, restart",
	"your computer, press F8 to select Advanced Startup Options, and then",
	"Check to be sure you have adequate disk space. If a driver is",
	"identified in the Stop message, disable the driver or check",
	"with the manufacturer for driver updates. Try changing video",
	"Check with your hardware vendor for any BIOS updates. Disable",
	"BIOS memory options such as caching or shadowing. If you need",
	"to use Safe Mode to remove or disable components, restart your",
	"Refer to your Getting Started manual for more information on",
	"The problem seems to be caused by the following file:",
	"Collecting data for crash dump ...",
	"Initializing disk for crash dump ...",
	"Beginning dump of physical memory",
	"Dumping physical memory to disk:",
	"Physical memory dump complete.",
	"Contact your system administrator or technical support group for further",
	"Technical information:",
	"Beginning dump of physical memory.",
];

const digits = (count: number) => `0x${anyLetter.repeat(count)}`;
const list = (count: number) => Array.from({ length: 4 }, () => digits(count)).join(",");

/** Stop lines of 32-bit systems, and of 64-bit ones, whose last parameter goes on in the next line. */
export const stopSentences = [
	`*** STOP: ${digits(8)} (${list(8)})`,
	`*** STOP: ${digits(8)} (${list(16)}`.slice(0, 79),
];

/** The beginning of a stop line. */
export function stopLine(code: number): string {
	return `*** STOP: 0x${code.toString(16).toUpperCase().padStart(8, "0")}`;
}

/** Those that stand on every blue screen of their time, and on no other screen. */
export const blueSigns = blueSentences.slice(0, 3);

export const diskSentences = [
	"One of your disks needs to be checked for consistency. You",
	"may cancel the disk check, but it is strongly recommended",
	"Windows will now check the disk.",
	"The type of the file system is",
];

export const panicSentences = ["Kernel panic - not syncing:"];

const stopPattern = /^ ?\*\*\* STOP: 0x([0-9A-F]{8}) ?\(([^)]*)/im;
const parameterPattern = /^0x[0-9a-f]{8}(?:[0-9a-f]{8})?$/;
/** NT 4.0 and 2000 write the name below the stop line, later ones above it, and some not at all. */
const namePattern = /^([A-Z][A-Z0-9]*_[A-Z0-9_]+)(?:\*\*\*| *$)/m;
const fileName = "([\\w$~.-]{1,40}\\.[A-Za-z]{3})";
const modulePatterns = [
	new RegExp(`^\\*\\*\\* +${fileName} - Address`, "m"),
	new RegExp(`caused by the following file: ${fileName}`, "m"),
	new RegExp(`\\*\\*\\* Address \\S+ (?:has )?base at .{8,40} - ${fileName}`, "m"),
];

/** The row in which a blue screen's stop line begins. */
export function stopRow(lines: readonly string[]): number {
	return lines.findIndex((line) => /^ ?\*\*\* STOP: 0x/.test(line));
}

/** @param columns letters a line: what fills one goes on in the next */
export function readStop(lines: readonly string[], columns: number): BlueScreen["stop"] {
	const text = unwrapped(lines, columns);
	const found = stopPattern.exec(text);
	if (!found) return undefined;
	const [, code = "", list = ""] = found;
	const parameters = list.split(",").map((word) => word.trim().toLowerCase());
	const name = namePattern.exec(text)?.[1];
	const module = modulePatterns.map((pattern) => pattern.exec(text)?.[1]).find(Boolean);
	return {
		code: Number.parseInt(code, 16),
		parameters: parameters.every((word) => parameterPattern.test(word)) ? parameters : [],
		...(name ? { name } : {}),
		...(module ? { module } : {}),
	};
}

function unwrapped(lines: readonly string[], columns: number): string {
	return lines.map((line) => (line.length >= columns ? line : `${line}\n`)).join("");
}

/** What a blue screen of letters says about its dump. */
export function readDump(lines: readonly string[]): Pick<BlueScreen, "dump" | "percent"> {
	const text = lines.join("\n");
	const shown = Number(/Dumping physical memory to disk: *(\d{1,3})\b/.exec(text)?.[1] ?? "NaN");
	const percent = shown <= 100 ? { percent: shown } : {};
	if (text.includes("Physical memory dump complete")) return { dump: "done", ...percent };
	const begun =
		/(?:Beginning dump of|Dumping) physical memory|(?:Collecting data|Initializing disk) for crash dump/;
	return begun.test(text) ? { dump: "writing", ...percent } : { dump: "none" };
}

/** Autochk, at the start of Windows NT to 7. */
export function saysDiskCheck(lines: readonly string[]): boolean {
	return lines.some((line) =>
		/^ *(?:Checking file system on|The type of the file system is|CHKDSK is verifying)\b/.test(line),
	);
}

const panicPattern = /^(?:\[ *\d+\.\d+\] *)?(?:---\[ end )?Kernel panic - not syncing:/;

/** A panic's lines, from its first on. */
export function readPanic(lines: readonly string[]): Extract<Seen, { kind: "linux-panic" }> | undefined {
	const from = lines.findIndex((line) => panicPattern.test(line));
	if (from < 0) return undefined;
	return { kind: "linux-panic", text: lines.slice(from).join("\n").trimEnd() };
}
