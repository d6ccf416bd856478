import { codePage437 } from "../../../src/screen/font.ts";
import type { TextScreen } from "../build.ts";

/** Attributes of text memory: background in the high half, ink in the low one. */
export const greyOnBlack = 0x07;
export const greyOnBlue = 0x17;
export const whiteOnBlue = 0x1f;
export const yellowOnBlue = 0x1e;
export const blackOnGrey = 0x70;
export const whiteOnRed = 0x4f;

/** A screen of text memory to write on. */
export class TextCanvas {
	readonly columns = 80;
	readonly rows: number;
	private readonly cells: Uint8Array;

	constructor(rows: number, attribute: number) {
		this.rows = rows;
		this.cells = new Uint8Array(this.columns * rows * 2);
		this.fill(0, 0, this.columns, rows, attribute);
	}

	fill(column: number, row: number, width: number, height: number, attribute: number): this {
		for (let y = row; y < row + height; y++) this.write(column, y, " ".repeat(width), attribute);
		return this;
	}

	/** Writes a line; without an attribute the colours stay as they are. */
	write(column: number, row: number, text: string, attribute?: number): this {
		for (const [i, letter] of [...text].entries()) {
			const at = (row * this.columns + column + i) * 2;
			this.cells[at] = Math.max(0, codePage437.indexOf(letter));
			if (letter === " ") this.cells[at] = 0x20;
			if (attribute !== undefined) this.cells[at + 1] = attribute;
		}
		return this;
	}

	lines(column: number, row: number, lines: readonly string[], attribute?: number): this {
		for (const [i, line] of lines.entries()) this.write(column, row + i, line, attribute);
		return this;
	}

	/** A frame of double lines, with a title. */
	box(column: number, row: number, width: number, height: number, attribute: number, title = ""): this {
		this.fill(column, row, width, height, attribute);
		this.write(column, row, `╔${"═".repeat(width - 2)}╗`);
		for (let y = row + 1; y < row + height - 1; y++)
			this.write(column, y, "║").write(column + width - 1, y, "║");
		this.write(column, row + height - 1, `╚${"═".repeat(width - 2)}╝`);
		return title ? this.write(column + Math.floor((width - title.length) / 2), row, title) : this;
	}

	screen(options: Partial<Pick<TextScreen, "narrow" | "cursor">> = {}): TextScreen {
		return { mode: this.rows === 50 ? "text-80x50" : "text-80x25", cells: this.cells, ...options };
	}
}

export interface Stop {
	code: number;
	parameters: string[];
	name: string;
	module?: { name: string; address: string; base: string; stamp: string };
}

const hex8 = (value: number) => value.toString(16).toUpperCase().padStart(8, "0");
export const stopLine = ({ code, parameters }: Stop) => `*** STOP: 0x${hex8(code)} (${parameters.join(",")})`;

/**
 * The blue screen of Windows NT 4.0: 80 x 50 characters of text mode, light grey on blue, in the sections that the NT Server
 * 4.0 resource kit describes ("Blue Screens", figure 38.1: BugCheck information, driver information, kernel build number
 * and stack dump, debug port information).
 */
export function nt4BlueScreen(
	stop: Stop,
	dump: "none" | "writing" | "done" = "none",
	narrow = false,
): TextScreen {
	const canvas = new TextCanvas(50, greyOnBlue);
	const { module } = stop;
	const blame = module ? `*** Address ${module.address} has base at ${module.base} - ${module.name}` : "";
	canvas.lines(0, 0, [
		"",
		stopLine(stop),
		`${stop.name}${blame}`,
		"",
		"CPUID:GenuineIntel 6.3.3 irql:1f  SYSVER 0xf0000565",
		"",
		"Dll Base DateStmp - Name               Dll Base DateStmp - Name",
	]);
	for (const [i, [base, stamp, name]] of drivers.entries()) {
		canvas.write((i % 2) * 39, 7 + Math.floor(i / 2), `${base} ${stamp} - ${name}`);
	}
	canvas.write(0, 26, "Address  dword dump   Build [1381]                            - Name");
	for (const [i, name] of ["ntoskrnl.exe", "i8042prt.SYS", "Ntfs.sys", "win32k.sys"].entries()) {
		canvas.write(0, 27 + i, `8013ff${i}c fc873d6c fc873d6c ff05e051 00000000 ff05e04b 0000002f - ${name}`);
	}
	const endings = {
		none: [
			"Restart and set the recovery options in the system control panel",
			"or the /CRASHDEBUG system start option. If this message reappears,",
			"contact your system administrator or technical support group.",
		],
		writing: ["Beginning dump of physical memory"],
		done: [
			"Beginning dump of physical memory",
			"Physical memory dump complete. Contact your system administrator or",
			"technical support group.",
		],
	};
	return canvas.lines(0, 33, endings[dump]).screen({ narrow });
}

const drivers = [
	["80100000", "336546bf", "ntoskrnl.exe"],
	["80010000", "33247f88", "hal.dll"],
	["80001000", "334d3a53", "atapi.sys"],
	["80007000", "33248043", "SCSIPORT.SYS"],
	["80337000", "336016a2", "Disk.sys"],
	["8033b000", "336015af", "CLASS2.SYS"],
	["8033f000", "33d844be", "Ntfs.sys"],
	["fc6b0000", "31ec6c8d", "Floppy.SYS"],
	["fc6c0000", "31ec6c99", "Cdrom.SYS"],
	["fc9a8000", "31ec6df7", "Fs_Rec.SYS"],
	["fc9c9000", "31ec6c99", "Null.SYS"],
	["fc868000", "31ed868b", "KSecDD.SYS"],
	["fc870000", "31167860", "i8042prt.SYS"],
	["fc6f0000", "335f60cf", "Mouclass.SYS"],
	["fc700000", "31ec6c94", "Kbdclass.SYS"],
	["fc710000", "31ec6c9b", "VIDEOPRT.SYS"],
	["fe250000", "31ec6ca9", "tcpip.sys"],
	["fe260000", "31ec6e6c", "netbt.sys"],
	["a0000000", "335157ac", "win32k.sys"],
	["fe0c9000", "335bd30e", "Fastfat.SYS"],
] as const;

/** What NT 4.0 shows while it starts: blue, and no failure. */
export function nt4Start(...more: string[]): TextScreen {
	return new TextCanvas(50, greyOnBlue)
		.lines(0, 0, [
			"Microsoft (R) Windows NT (TM) Version 4.0 (Build 1381: Service Pack 6).",
			"1 System Processor (64 MB Memory)",
			...more,
		])
		.screen();
}

/** A setup program of the firmware: blue, with frames, as Award's and Phoenix' are. */
export function biosSetup(): TextScreen {
	const canvas = new TextCanvas(25, yellowOnBlue);
	canvas.box(0, 0, 80, 24, yellowOnBlue, " CMOS Setup Utility - Copyright (C) 1984-2001 ");
	const left = [
		"Standard CMOS Features",
		"Advanced BIOS Features",
		"Integrated Peripherals",
		"Power Management Setup",
	];
	const right = [
		"Load Optimized Defaults",
		"Set Supervisor Password",
		"Save & Exit Setup",
		"Exit Without Saving",
	];
	canvas
		.lines(
			4,
			3,
			left.map((line) => `► ${line}`),
		)
		.lines(44, 3, right);
	return canvas
		.write(3, 3, `► ${left[0]}`, whiteOnRed)
		.write(4, 20, "Esc : Quit          F9 : Menu in BIOS        ↑ ↓ → ← : Select Item")
		.write(4, 22, "Time, Date, Hard Disk Type...", whiteOnBlue)
		.screen();
}

/** A dialog as whiptail and debconf draw them: a blue screen with a grey box and its shadow. */
export function dialog(): TextScreen {
	const canvas = new TextCanvas(25, whiteOnBlue);
	canvas.write(0, 0, "Package configuration", whiteOnBlue).fill(12, 7, 60, 12, 0x08);
	canvas.fill(10, 6, 60, 12, blackOnGrey);
	canvas
		.write(10, 6, `┌${"─".repeat(18)}┤ Configuring grub-pc ├${"─".repeat(19)}┐`, blackOnGrey)
		.lines(12, 8, [
			"A problem has been detected with the boot loader: no device",
			"was selected to be written to.",
		])
		.write(36, 15, "<Ok>", whiteOnRed);
	return canvas.screen();
}

/** Text setup of Windows 2000 to 2003: blue in text mode, with a title and a grey line of keys at the bottom. */
export function textSetup(): TextScreen {
	const canvas = new TextCanvas(25, greyOnBlue);
	canvas.lines(0, 1, [" Windows Server 2003, Standard Edition Setup", "═".repeat(44)]);
	canvas.lines(3, 4, [
		"The following list shows the existing partitions and",
		"unpartitioned space on this computer.",
		"",
		"Use the UP and DOWN ARROW keys to select an item in the list.",
		"",
		"  ∙ To set up Windows on the selected item, press ENTER.",
	]);
	return canvas.write(0, 24, "  ENTER=Install  D=Delete Partition  F3=Quit".padEnd(80), blackOnGrey).screen();
}

/** Windows' boot loader: the menu, or what it says when it cannot start. */
export function bootManager(): TextScreen {
	const canvas = new TextCanvas(25, greyOnBlack);
	canvas.write(0, 1, `${" ".repeat(29)}Windows Boot Manager${" ".repeat(31)}`, blackOnGrey);
	canvas.lines(4, 3, [
		"Windows failed to start. A recent hardware or software change might be the",
		"cause. To fix the problem:",
		"",
		"  1. Insert your Windows installation disc and restart your computer.",
		'  2. Choose your language settings, and then click "Next."',
		'  3. Click "Repair your computer."',
		"",
		"    Status: 0xc000000e",
		"",
		"    Info: The boot selection failed because a required device is",
		"          inaccessible.",
	]);
	return canvas.write(0, 24, `${"  ENTER=Continue".padEnd(68)}ESC=Exit    `, blackOnGrey).screen();
}

/** A system log on which somebody has looked for stop errors: the words of a blue screen, and none. */
export function talkOfStops(): TextScreen {
	return new TextCanvas(25, greyOnBlack)
		.lines(0, 0, [
			"till:~# grep -r STOP /var/log/dc1",
			"/var/log/dc1/screen.txt:*** STOP: 0x0000000A (0x00000000,0x00000002,0x00000000,0x8046A6F2)",
			"/var/log/dc1/screen.txt:IRQL_NOT_LESS_OR_EQUAL",
			"till:~# dmesg | grep -i 'kernel panic'",
			"till:~# ",
		])
		.screen({ cursor: { row: 4, column: 8 } });
}

export function dosPrompt(): TextScreen {
	return new TextCanvas(25, greyOnBlack)
		.lines(0, 0, ["Starting MS-DOS...", "", "C:\\>dir *.sys", "", " Volume in drive C is TILL", "", "C:\\>"])
		.screen({ cursor: { row: 6, column: 4 } });
}

/** Text mode with nothing but a cursor. */
export function emptyText(): TextScreen {
	return new TextCanvas(25, greyOnBlack).screen({ cursor: { row: 0, column: 0 } });
}
