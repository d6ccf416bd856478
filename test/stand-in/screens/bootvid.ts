import type { BitmapFont } from "../../../src/screen/font.ts";
import { vga8x14 } from "../../../src/screen/fonts/vga-8x14.ts";
import type { Frame } from "../../../src/screen/frame.ts";
import type { PlanarScreen } from "../build.ts";
import { type Stop, stopLine } from "./text.ts";

/**
 * Screens that Windows 2000 to 7 and Server 2008 R2 draw with bootvid.dll: 640 x 480 in 16 colours, lines of 14 pixels with
 * letters 8 wide (ReactOS' bootvid, which works alike: 13 rows and a blank one). Its font cannot be had here: the VGA BIOS' font of 14
 * rows stands in for it. Words and order of the lines: Microsoft's "Blue screen data" (windows-driver-docs, debugger) and
 * the templates of BlueScreenSimulatorPlus; colours: the palette of ReactOS' bootvid (blue 0x000080).
 */
const width = 640;
const height = 480;
const lineHeight = 14;
export const bootvidBlue = 0x000080;
const white = 0xffffff;

export class Canvas {
	readonly rgb: Uint8Array;
	readonly width: number;
	readonly height: number;
	constructor(background: number, w = width, h = height) {
		this.width = w;
		this.height = h;
		this.rgb = new Uint8Array(w * h * 3);
		this.fill(0, 0, w, h, background);
	}

	fill(left: number, top: number, w: number, h: number, colour: number): this {
		for (let y = top; y < top + h; y++) for (let x = left; x < left + w; x++) this.dot(x, y, colour);
		return this;
	}

	dot(x: number, y: number, colour: number): void {
		if (x >= this.width || y >= this.height) return;
		this.rgb.set([colour >> 16, (colour >> 8) & 255, colour & 255], (y * this.width + x) * 3);
	}

	write(left: number, top: number, text: string, colour: number, font: BitmapFont = vga8x14): this {
		const hex = font.glyphs.join("");
		const characters = [...font.characters];
		for (const [i, letter] of [...text].entries()) {
			const glyph = letter === " " ? 0 : Math.max(0, characters.indexOf(letter));
			for (let y = 0; y < font.height; y++) {
				const row = Number.parseInt(
					hex.slice((glyph * font.height + y) * 2, (glyph * font.height + y) * 2 + 2),
					16,
				);
				for (let x = 0; x < 8; x++) if ((row << x) & 128) this.dot(left + i * 8 + x, top + y, colour);
			}
		}
		return this;
	}

	frame(): Frame {
		return { width: this.width, height: this.height, rgb: this.rgb };
	}
}

/** Lines as bootvid.dll writes them: what is longer than 80 letters goes on in the next line. */
function bootvidText(lines: readonly string[], font: BitmapFont, background = bootvidBlue): PlanarScreen {
	const canvas = new Canvas(background);
	const wrapped = lines.flatMap((line) => line.match(/.{1,80}/g) ?? [""]);
	// What does not fit is scrolled up.
	for (const [row, line] of wrapped.slice(-Math.floor(height / lineHeight)).entries()) {
		canvas.write(0, row * lineHeight, line, white, font);
	}
	return { mode: "vga-640x480x16", picture: canvas.frame() };
}

const firstTime = [
	"If this is the first time you've seen this Stop error screen,",
	"restart your computer. If this screen appears again, follow",
	"these steps:",
	"",
];

/** Windows 2000. */
export function windows2000(stop: Stop, dump: readonly string[] = [], font = vga8x14): PlanarScreen {
	const { module } = stop;
	const blame = module
		? [`*** Address ${module.address} base at ${module.base}, DateStamp ${module.stamp} - ${module.name}`, ""]
		: [];
	return bootvidText(
		[
			"",
			stopLine(stop),
			stop.name,
			"",
			...blame,
			...firstTime,
			"Check to be sure you have adequate disk space. If a driver is",
			"identified in the Stop message, disable the driver or check",
			"with the manufacturer for driver updates. Try changing video",
			"adapters.",
			"",
			"Check with your hardware vendor for any BIOS updates. Disable",
			"BIOS memory options such as caching or shadowing. If you need",
			"to use Safe Mode to remove or disable components, restart your",
			"computer, press F8 to select Advanced Startup Options, and then",
			"select Safe Mode.",
			"",
			"Refer to your Getting Started manual for more information on",
			"troubleshooting Stop errors.",
			"",
			...dump,
		],
		font,
	);
}

export const dump2000 = (percent: number) => [
	"Beginning dump of physical memory",
	`Dumping physical memory to disk:  ${percent}`,
];

export const dumpXp = {
	writing: ["Beginning dump of physical memory"],
	done: [
		"Beginning dump of physical memory",
		"Physical memory dump complete.",
		"Contact your system administrator or technical support group for further",
		"assistance.",
	],
};

export const dump7 = {
	collecting: ["Collecting data for crash dump ..."],
	writing: (percent: number) => [
		"Collecting data for crash dump ...",
		"Initializing disk for crash dump ...",
		"Beginning dump of physical memory.",
		`Dumping physical memory to disk:  ${percent}`,
	],
	done: [
		"Collecting data for crash dump ...",
		"Initializing disk for crash dump ...",
		"Beginning dump of physical memory.",
		"Dumping physical memory to disk:  100",
		"Physical memory dump complete.",
		"Contact your system admin or technical support group for further assistance.",
	],
};

/** Windows XP and Server 2003, and with the dump lines of Vista: Vista, 7, Server 2008 and 2008 R2. */
export function windowsXp(stop: Stop, dump: readonly string[] = [], font = vga8x14): PlanarScreen {
	const { module } = stop;
	const cause = module ? [`The problem seems to be caused by the following file: ${module.name}`, ""] : [];
	const blame = module
		? [
				"",
				`***  ${module.name} - Address ${module.address} base at ${module.base}, DateStamp ${module.stamp}`,
			]
		: [];
	return bootvidText(
		[
			"",
			"A problem has been detected and Windows has been shut down to prevent damage",
			"to your computer.",
			"",
			...cause,
			stop.name,
			...(stop.name ? [""] : []),
			...firstTime,
			"Check to make sure any new hardware or software is properly installed.",
			"If this is a new installation, ask your hardware or software manufacturer",
			"for any Windows updates you might need.",
			"",
			"If problems continue, disable or remove any newly installed hardware",
			"or software. Disable BIOS memory options such as caching or shadowing.",
			"If you need to use Safe Mode to remove or disable components, restart",
			"your computer, press F8 to select Advanced Startup Options, and then",
			"select Safe Mode.",
			"",
			"Technical information:",
			"",
			stopLine(stop),
			...blame,
			"",
			...dump,
		],
		font,
	);
}

const checking = (stage: string) => [
	"Checking file system on C:",
	"The type of the file system is NTFS.",
	"",
	"One of your disks needs to be checked for consistency. You",
	"may cancel the disk check, but it is strongly recommended",
	"that you continue.",
	"Windows will now check the disk.",
	"",
	...stage.split("\n"),
];

/** The disk check of Windows XP and Server 2003: text between two dark bands, under the name of the system. */
export function checkDiskXp(font = vga8x14): PlanarScreen {
	const canvas = new Canvas(0x5a7edc).fill(0, 0, width, 78, 0x00309c).fill(0, 402, width, 78, 0x00309c);
	canvas.fill(0, 78, width, 3, 0xffffff).fill(0, 399, width, 3, 0xf7a541);
	logo(canvas, 560, 20, 12);
	const lines = checking("CHKDSK is verifying files (stage 1 of 3)...\n12 percent completed.");
	for (const [i, line] of lines.entries()) canvas.write(24, 100 + i * lineHeight, line, white, font);
	return { mode: "vga-640x480x16", picture: canvas.frame() };
}

/** The disk check of Windows 2000: plain text on its blue, with lines as in a blue screen. */
export function checkDisk2000(font = vga8x14): PlanarScreen {
	const canvas = new Canvas(0x3a6ea5).fill(0, 0, width, 90, white);
	canvas.write(160, 40, "Windows 2000 Server", 0x000000, font);
	const lines = checking("CHKDSK is verifying indexes (stage 2 of 3)...\nIndex verification completed.");
	for (const [i, line] of lines.entries()) canvas.write(8, 112 + i * lineHeight, line, white, font);
	return { mode: "vga-640x480x16", picture: canvas.frame() };
}

/** Four panes. */
export function logo(canvas: Canvas, left: number, top: number, size: number, colours = fourColours): void {
	for (const [i, colour] of colours.entries()) {
		canvas.fill(left + (i % 2) * (size + 2), top + (i >> 1) * (size + 2), size, size, colour);
	}
}

const fourColours = [0xf25022, 0x7fba00, 0x00a4ef, 0xffb900];

/** Windows XP starts: logo, and a bar with three blue blocks, on black. */
export function startXp(): PlanarScreen {
	const canvas = new Canvas(0x000000);
	logo(canvas, 260, 130, 56);
	canvas.write(268, 260, "Microsoft", white).write(280, 276, "Windows", white);
	canvas.fill(258, 352, 124, 1, 0x808080).fill(258, 364, 124, 1, 0x808080);
	for (let i = 0; i < 3; i++) canvas.fill(290 + i * 11, 354, 9, 9, 0x2838c8);
	canvas.write(20, 455, "Copyright (c) Microsoft Corporation", white);
	return { mode: "vga-640x480x16", picture: canvas.frame() };
}

/** Windows 2000 starts: a white page with its name, and a progress bar. */
export function start2000(): PlanarScreen {
	const canvas = new Canvas(0xffffff);
	logo(canvas, 120, 140, 60);
	canvas
		.write(280, 190, "Windows 2000", 0x000000)
		.fill(0, 400, width, 3, 0x000080)
		.fill(180, 420, 280, 14, 0x808080);
	canvas.fill(182, 422, 120, 10, 0x000080).write(270, 445, "Starting up...", 0x000000);
	return { mode: "vga-640x480x16", picture: canvas.frame() };
}
