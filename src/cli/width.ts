/** Scripts and symbols that take two columns in a terminal, after Unicode's East Asian Width property (UAX 11). */
const wide =
	/^[\p{Emoji_Presentation}\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]/u;
const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** Columns that a text takes in a terminal. */
export function widthOf(text: string): number {
	let width = 0;
	for (const { segment } of graphemes.segment(text)) width += widthOfGrapheme(segment);
	return width;
}

function widthOfGrapheme(grapheme: string): number {
	return wide.test(grapheme) ? 2 : 1;
}

/** The text, cut to at most `columns` with an ellipsis where it was longer. */
export function truncate(text: string, columns: number): string {
	if (widthOf(text) <= columns) return text;
	let taken = "";
	let width = 0;
	for (const { segment } of graphemes.segment(text)) {
		width += widthOfGrapheme(segment);
		if (width > columns - 1) break;
		taken += segment;
	}
	return columns < 1 ? "" : `${taken.trimEnd()}…`;
}

export function pad(text: string, columns: number, side: "left" | "right" = "left"): string {
	const space = " ".repeat(Math.max(0, columns - widthOf(text)));
	return side === "left" ? text + space : space + text;
}
