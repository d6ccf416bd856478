import { lines, picture, qrCode, rectangle, type Size, words } from "./svg.ts";

/**
 * Blue screens of Windows 8 and later. Proportions and words: the templates of BlueScreenSimulatorPlus (margins of 9 and 12 % of
 * the screen, the lines' words, QR code of 110 pixels, colours 0x1071AA, 0x0078D7, 0x000080 and black) and the screen that Johann150's gist 679e01ba
 * rebuilds (face of 20, text of 3.5, small text of 1.8 % of the height; left edge at 11 to 12 % of the width); Microsoft's
 * support article "Troubleshooting Windows unexpected restarts and stop code errors" shows the one of Windows 11 24H2.
 */
export interface Modern {
	size: Size;
	background: string;
	/** The number before "% complete"; none: that line is absent. */
	percent?: number;
	stopCode: string;
	module?: string;
	face?: boolean;
	qr?: boolean;
	/** What the machine is called: PC, device, Windows Insider Build. */
	called?: string;
	/** Shown small in the upper left corner, where CrashControl's DisplayParameters is set. */
	parameters?: string[];
}

/** Windows 10, 11 until 24H2, and with neither face nor QR code Server 2016 to 2022. */
export function windows10(screen: Modern): string {
	const {
		size,
		background,
		percent,
		stopCode,
		module,
		face = true,
		qr = true,
		called = "PC",
		parameters = [],
	} = screen;
	const { width, height } = size;
	const unit = Math.min(height, width * 0.6) / 100;
	const left = width * 0.1;
	const text = { size: 3.3 * unit };
	const small = { size: 1.8 * unit };
	const top = face ? 42 * unit : 20 * unit;
	const told = percent === undefined ? "We'll restart for you." : "We're just";
	const body = [
		`Your ${called} ran into a problem and needs to restart. ${told}`,
		...(percent === undefined ? [] : ["collecting some error info, and then we'll restart for you."]),
	];
	const after = top + body.length * 4.6 * unit + 4 * unit;
	const done = percent === undefined ? "" : words(left, after, `${percent}% complete`, text);
	const beside = qr ? left + 14 * unit : left;
	const block = after + 6 * unit;
	return picture(
		size,
		background,
		lines(1.5 * unit, 3 * unit, parameters, 2.4 * unit, { size: 1.8 * unit }),
		face ? words(left - 1.5 * unit, 31 * unit, ":(", { size: 20 * unit }) : "",
		lines(left, top, body, 4.6 * unit, text),
		done,
		qr ? qrCode(left, block, 12 * unit, background) : "",
		lines(
			beside,
			block + 2 * unit,
			[
				"For more information about this issue and possible fixes, visit https://www.windows.com/stopcode",
				"",
				"If you call a support person, give them this info:",
				`Stop code: ${stopCode}`,
				...(module ? [`What failed: ${module}`] : []),
			],
			2.7 * unit,
			small,
		),
	);
}

/** The screen of Windows 10 in German. */
export function windows10German({ size, background, percent, stopCode }: Modern): string {
	const unit = Math.min(size.height, size.width * 0.6) / 100;
	const left = size.width * 0.1;
	const body = [
		"Auf Ihrem PC ist ein Problem aufgetreten. Der PC muss neu gestartet",
		"werden. Es werden einige Fehlerinformationen gesammelt, und dann",
		"wird ein Neustart ausgeführt.",
	];
	const small = [
		"Weitere Informationen zu diesem Problem und mögliche Lösungen finden Sie unter https://www.windows.com/stopcode",
		"",
		"Wenn Sie sich an den Support wenden, geben Sie diese Informationen an:",
		`Stillstandcode: ${stopCode}`,
	];
	return picture(
		size,
		background,
		words(left - 1.5 * unit, 31 * unit, ":(", { size: 20 * unit }),
		lines(left, 42 * unit, body, 4.6 * unit, { size: 3.3 * unit }),
		words(left, 60 * unit, `${percent ?? 0}% abgeschlossen`, { size: 3.3 * unit }),
		qrCode(left, 66 * unit, 12 * unit, background),
		lines(left + 14 * unit, 68 * unit, small, 2.7 * unit, { size: 1.8 * unit }),
	);
}

/** Windows 8, 8.1 and Server 2012: the percentage is within the text, and the stop code in one small line. */
export function windows8({ size, background, percent, stopCode, face = true }: Modern): string {
	const unit = Math.min(size.height, size.width * 0.6) / 100;
	const left = size.width * 0.12;
	const body =
		percent === undefined
			? ["Your PC ran into a problem that it couldn't", "handle, and now it needs to restart."]
			: [
					"Your PC ran into a problem and needs to restart. We're just",
					`collecting some error info, and then we'll restart for you. (${percent}%`,
					"complete)",
				];
	return picture(
		size,
		background,
		face ? words(left - 1.5 * unit, 36 * unit, ":(", { size: 22 * unit }) : "",
		lines(left, 48 * unit, body, 5 * unit, { size: 3.6 * unit }),
		words(
			left,
			70 * unit,
			`If you'd like to know more, you can search online later for this error: ${stopCode}`,
			{
				size: 1.9 * unit,
			},
		),
	);
}

/** Windows 11 24H2 since summer 2025: black, everything in the middle, the stop code small at the bottom, no face. */
export function windows11({
	size,
	background,
	percent,
	stopCode,
	module,
	called = "device",
}: Modern): string {
	const unit = size.height / 100;
	const middle = size.width / 2;
	const text = { size: 3.2 * unit, anchor: "middle" } as const;
	const small = { size: 1.8 * unit, anchor: "middle" } as const;
	return picture(
		size,
		background,
		words(middle, 48 * unit, `Your ${called} ran into a problem and needs to restart.`, text),
		percent === undefined ? "" : words(middle, 54 * unit, `${percent}% complete`, text),
		words(middle, 91 * unit, `Stop code: ${stopCode}`, small),
		module ? words(middle, 94.5 * unit, `What failed: ${module}`, small) : "",
	);
}

/** A blue page of a full-screen program with a sad face in its text: no blue screen. */
export function sadPage(size: Size): string {
	return picture(
		size,
		"#0078d7",
		rectangle(0, 0, size.width, 60, "#ffffff"),
		words(40, 42, "Sorry :(  this page is not available", { size: 30, fill: "#000" }),
		lines(
			size.width * 0.3,
			300,
			["We looked everywhere", "and did not find it.", "Go back to the start page"],
			40,
			{ size: 28 },
		),
	);
}
