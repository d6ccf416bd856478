/**
 * Something that a guest or a captured QEMU has sent, for a person to read.
 * @param most characters
 * @returns "unknown" for what is no text, number or truth value: to read a list or an object as text is to do what it
 * says, and one may say what throws
 */
export function wordsOf(value: unknown, most: number): string {
	const isPlain = ["string", "number", "bigint", "boolean"].includes(typeof value);
	return isPlain ? String(value).slice(0, most) : "unknown";
}
