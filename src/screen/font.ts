/** A font of equal cells, each row of a cell one byte or less: what consoles and early graphics draw with. */
export interface BitmapFont {
	readonly name: string;
	/** Pixels, at most 8. */
	readonly width: number;
	readonly height: number;
	/** The character of each glyph; one letter each. */
	readonly characters: string;
	/** Hexadecimal, two digits a row from the top; the leftmost pixel is the highest bit. Some strings of several glyphs each. */
	readonly glyphs: readonly string[];
}

/**
 * What the 256 characters of a PC's text mode mean (https://www.unicode.org/Public/MAPPINGS/VENDORS/MICSFT/PC/CP437.TXT;
 * the first 32 as they are drawn).
 */
export const codePage437 =
	" ☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼ !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`" +
	"abcdefghijklmnopqrstuvwxyz{|}~⌂ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀" +
	"αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■ ";

/** The characters of fonts that were measured for these alone. */
export const printable = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).join("");

/** Glyphs by their pixels: rows as letters of a string, see `glyphKey`. The first of two that look alike is kept. */
export function glyphTable(font: BitmapFont): Map<string, string> {
	const table = new Map<string, string>();
	const hex = font.glyphs.join("");
	for (const [index, character] of [...font.characters].entries()) {
		const rows = hex.slice(index * font.height * 2, (index + 1) * font.height * 2);
		const key = glyphKey(rows.match(/../g)?.map((row) => Number.parseInt(row, 16)) ?? []);
		if (!table.has(key) || isPlain(character)) table.set(key, character);
	}
	return table;
}

/** @param rows one byte each */
export function glyphKey(rows: readonly number[] | Uint8Array): string {
	return String.fromCharCode(...rows);
}

function isPlain(character: string): boolean {
	return character >= " " && character <= "~";
}
