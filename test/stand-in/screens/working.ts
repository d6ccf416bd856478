import { lines, panes, picture, rectangle, ring, type Size, words } from "./svg.ts";

/** Screens of a Windows that works: starts, updates, checks its disks, waits for somebody to log in. */

/** Windows 10, Server 2016 and later: ring above text, all in the middle. */
export function updates10(size: Size, background: string, texts: string[], turn = 0.3, below = ""): string {
	const unit = size.height / 100;
	const middle = size.width / 2;
	return picture(
		size,
		background,
		ring(middle, 42 * unit, 2.6 * unit, 5, turn),
		lines(middle, 51 * unit, texts, 4.2 * unit, { size: 2.9 * unit, anchor: "middle" }),
		below ? words(middle, 91 * unit, below, { size: 2 * unit, anchor: "middle" }) : "",
	);
}

/** Windows 8 and Server 2012: ring beside text. */
export function updates8(size: Size, background: string, texts: string[], turn = 0.3): string {
	const unit = size.height / 100;
	const left = size.width * 0.38;
	return picture(
		size,
		background,
		ring(left - 6 * unit, 49 * unit, 2.4 * unit, 5, turn),
		lines(left, 47 * unit, texts, 5 * unit, { size: 3.4 * unit }),
	);
}

/** The blue ground of Vista's to 7's login and update screens. */
function aurora({ width, height }: Size): string {
	return `<defs><linearGradient id="a" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="#0b3b66"/><stop offset="0.5" stop-color="#1f6fa8"/><stop offset="1" stop-color="#0d4a77"/></linearGradient></defs><rect width="${width}" height="${height}" fill="url(#a)"/>`;
}

/** Windows 7 and Server 2008 R2: small ring beside the text on the blue of the login, its name at the bottom. */
export function updates7(size: Size, percent: number): string {
	const unit = size.height / 100;
	const middle = size.width / 2;
	const text = { size: 2.8 * unit, anchor: "middle", weight: 400 } as const;
	return picture(
		size,
		aurora(size),
		ring(middle - 24 * unit, 49 * unit, 1.8 * unit, 5),
		lines(
			middle,
			46 * unit,
			["Configuring Windows updates", `${percent}% complete`, "Do not turn off your computer."],
			4 * unit,
			text,
		),
		words(middle, 92 * unit, "Windows Server 2008 R2 Standard", { size: 3.4 * unit, anchor: "middle" }),
	);
}

export function login7(size: Size): string {
	const unit = size.height / 100;
	const middle = size.width / 2;
	return picture(
		size,
		aurora(size),
		words(middle, 50 * unit, "Press CTRL + ALT + DELETE to log on", {
			size: 2.8 * unit,
			anchor: "middle",
			weight: 400,
		}),
		rectangle(3 * unit, 93 * unit, 5 * unit, 4 * unit, "#1c5d91", 'rx="4"'),
		words(middle, 92 * unit, "Windows Server 2008 R2 Standard", { size: 3.4 * unit, anchor: "middle" }),
	);
}

/** Windows 8 and later start: panes, ring, perhaps a line of text; black. */
export function start8(size: Size, text = "", turn = 0.3, fill = "#00adef"): string {
	const unit = size.height / 100;
	const middle = size.width / 2;
	return picture(
		size,
		"#000000",
		panes(middle - 11 * unit, 28 * unit, 22 * unit, fill),
		ring(middle, 78 * unit, 3 * unit, 5, turn),
		text ? words(middle, 88 * unit, text, { size: 2.6 * unit, anchor: "middle" }) : "",
	);
}

/** Windows 7 and Server 2008 R2 start. */
export function start7(size: Size): string {
	const unit = size.height / 100;
	const middle = size.width / 2;
	const petals = ["#f25022", "#7fba00", "#00a4ef", "#ffb900"]
		.map(
			(fill, i) =>
				`<circle cx="${middle + (i & 1 ? 1 : -1) * 4 * unit}" cy="${(42 + (i >> 1) * 8) * unit}" r="${3.6 * unit}" fill="${fill}" opacity="0.8"/>`,
		)
		.join("");
	return picture(
		size,
		"#000000",
		petals,
		words(middle, 68 * unit, "Starting Windows", { size: 3.6 * unit, anchor: "middle" }),
		words(middle, 95 * unit, "© Microsoft Corporation", {
			size: 2 * unit,
			anchor: "middle",
			fill: "#8a8a8a",
		}),
	);
}

/** The lock screen of Server 2012 and later on a plain colour: clock at the lower left. */
export function lock(size: Size, background: string): string {
	const unit = size.height / 100;
	return picture(
		size,
		background,
		words(size.width / 2, 14 * unit, "Press Ctrl+Alt+Delete to unlock.", {
			size: 3 * unit,
			anchor: "middle",
		}),
		words(5 * unit, 84 * unit, "9:41", { size: 14 * unit }),
		words(5 * unit, 92 * unit, "Thursday, November 26", { size: 5 * unit }),
	);
}

/** Logging in to Server 2012 and later: a tile, a name, a field for the password. */
export function login10(size: Size, background: string): string {
	const unit = size.height / 100;
	const middle = size.width / 2;
	return picture(
		size,
		background,
		`<circle cx="${middle}" cy="${34 * unit}" r="${11 * unit}" fill="#dddddd"/><circle cx="${middle}" cy="${31 * unit}" r="${4 * unit}" fill="#888"/>`,
		words(middle, 54 * unit, "Administrator", { size: 5 * unit, anchor: "middle" }),
		rectangle(middle - 19 * unit, 60 * unit, 38 * unit, 5 * unit, "#ffffff"),
		words(middle - 18 * unit, 63.6 * unit, "Password", { size: 2.4 * unit, fill: "#666" }),
	);
}

/** A dialog of Windows 2000 to 2003 on their plain blue desktop. */
export function login2003(size: Size): string {
	const [x, y] = [size.width / 2 - 207, size.height / 2 - 130];
	return picture(
		size,
		"#3a6ea5",
		rectangle(x, y, 414, 260, "#d4d0c8"),
		rectangle(x + 3, y + 3, 408, 20, "#0a246a"),
		words(x + 8, y + 18, "Log On to Windows", { size: 12, weight: 700 }),
		rectangle(x + 3, y + 24, 408, 80, "#5a7edc"),
		words(x + 40, y + 72, "Windows Server 2003", { size: 28, weight: 700 }),
		words(x + 20, y + 140, "User name:", { size: 12, weight: 400, fill: "#000" }),
		rectangle(x + 110, y + 126, 270, 20, "#ffffff"),
		words(x + 20, y + 170, "Password:", { size: 12, weight: 400, fill: "#000" }),
		rectangle(x + 110, y + 156, 270, 20, "#ffffff"),
	);
}

/** A plain desktop with a task bar, and icons on it or none. */
export function desktop(size: Size, background: string, bar: string, icons = 3): string {
	const { width, height } = size;
	const parts = Array.from({ length: icons }, (_, i) => {
		const y = 20 + i * 90;
		return (
			rectangle(28, y, 40, 36, "#f0e6a0") +
			words(48, y + 54, ["Recycle Bin", "Network", "Exchange"][i % 3] ?? "", {
				size: 12,
				weight: 400,
				anchor: "middle",
			})
		);
	});
	return picture(
		size,
		background,
		...parts,
		rectangle(0, height - 40, width, 40, bar),
		rectangle(12, height - 30, 22, 20, "#ffffff"),
		words(width - 20, height - 14, "9:41 AM", { size: 13, anchor: "end", weight: 400 }),
	);
}

/** Server's first start: a title, labels and white fields on one colour, all from one left edge. */
export function customize(size: Size, background: string): string {
	const unit = size.height / 100;
	const left = size.width * 0.12;
	const small = { size: 2 * unit };
	return picture(
		size,
		background,
		words(left, 18 * unit, "Customize settings", { size: 6 * unit }),
		words(
			left,
			28 * unit,
			"Type a password for the built-in administrator account that you can use to sign in to this computer.",
			small,
		),
		lines(left, 42 * unit, ["User name", "Password", "Reenter password"], 8 * unit, small),
		...[0, 1, 2].map((i) =>
			rectangle(left + 22 * unit, (39 + i * 8) * unit, 45 * unit, 4.5 * unit, i ? "#ffffff" : "#8fb8dc"),
		),
		rectangle(size.width - 24 * unit, 90 * unit, 14 * unit, 5 * unit, "#2a8ad0"),
		words(size.width - 17 * unit, 93.4 * unit, "Finish", { size: 2.4 * unit, anchor: "middle" }),
	);
}

/** A PowerShell over the whole screen: many lines on its dark blue, from the left edge on. */
export function powershell(size: Size): string {
	const text = [
		"Windows PowerShell",
		"Copyright (C) 2016 Microsoft Corporation. All rights reserved.",
		"",
		"PS C:\\Users\\Administrator> Get-EventLog System -Newest 8",
		"",
		"   Index Time          EntryType   Source                 InstanceID Message",
		"   ----- ----          ---------   ------                 ---------- -------",
		...Array.from(
			{ length: 8 },
			(_, i) =>
				`    ${4120 - i} Nov 26 09:4${i}  Error       BugCheck               1001 The computer has rebooted from a bugcheck.`,
		),
		"",
		"PS C:\\Users\\Administrator> _",
	];
	return picture(
		size,
		"#012456",
		lines(4, 18, text, 18, { size: 14, weight: 400, family: "DejaVu Sans Mono", fill: "#eeedf0" }),
	);
}

/** One colour, nothing else. */
export function plain(size: Size, background: string): string {
	return picture(size, background);
}

/** A picture as grounds have: sky over a field, and a window of text on it. */
export function busy(size: Size): string {
	const { width, height } = size;
	return picture(
		size,
		`<defs><linearGradient id="s" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="#2a5fc8"/><stop offset="1" stop-color="#cfe4ff"/></linearGradient></defs><rect width="${width}" height="${height}" fill="url(#s)"/>`,
		`<path d="M0 ${height * 0.7} Q ${width * 0.5} ${height * 0.5} ${width} ${height * 0.75} V ${height} H 0 Z" fill="#4f9d2f"/>`,
		rectangle(width * 0.2, height * 0.2, width * 0.6, height * 0.5, "#ffffff"),
		rectangle(width * 0.2, height * 0.2, width * 0.6, 30, "#0a5fd0"),
		words(width * 0.2 + 10, height * 0.2 + 21, "Services", { size: 16, weight: 700 }),
		lines(
			width * 0.22,
			height * 0.32,
			["Active Directory Domain Services   Running", "DNS Server   Running", "Exchange   Stopped"],
			30,
			{ size: 18, weight: 400, fill: "#222" },
		),
	);
}

/** The recovery environment of Windows 8 and later: a short title, sentences below it, and tiles or buttons. */
export function recovery(
	size: Size,
	title: string,
	texts: readonly string[],
	buttons: readonly string[],
): string {
	const unit = size.height / 100;
	const left = size.width * 0.1;
	const wide = 26 * unit;
	return picture(
		size,
		"#0078d7",
		words(left, 20 * unit, title, { size: 6.5 * unit }),
		lines(left, 32 * unit, texts, 4 * unit, { size: 2.5 * unit }),
		...buttons.map((text, i) => {
			const x = size.width - (buttons.length - i) * (wide + 3 * unit);
			return (
				rectangle(x, 86 * unit, wide, 6 * unit, "#3393df") +
				words(x + wide / 2, 90 * unit, text, { size: 2.2 * unit, anchor: "middle" })
			);
		}),
	);
}

export const automaticRepair = (size: Size) =>
	recovery(
		size,
		"Automatic Repair",
		[
			"Your PC did not start correctly",
			'Press "Restart" to restart your PC, which can sometimes fix the problem. You can also press',
			'"Advanced options" to try other options to repair your PC.',
		],
		["Restart", "Advanced options"],
	);

/** What the boot manager says when it finds nothing to start: no buttons, keys to press. */
export const bootFailed = (size: Size) =>
	recovery(
		size,
		"Recovery",
		[
			"Your PC/Device needs to be repaired",
			"The Boot Configuration Data file doesn't contain valid information for an operating system.",
			"",
			"File: \\BCD",
			"Error code: 0xc0000098",
			"",
			"You'll need to use recovery tools. If you don't have any installation media (like a disc or USB",
			"device), contact your PC administrator or PC/Device manufacturer.",
			"",
			"Press Enter to try again",
			"Press F8 for Startup Settings",
		],
		[],
	);
