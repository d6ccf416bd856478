/** One part of a name (RFC 1123, 2.1): letters, digits and hyphens, at most 63, no hyphen at either end. */
const label = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i;

/** @returns whether a text is the name of a host, of one part or more, at most 253 characters, without a dot at its end */
export function isHostName(text: string): boolean {
	const labels = text.split(".");
	// A last part that is a number, in hexadecimal too, would be read as an address.
	const isNumber = /^(?:\d+|0x[0-9a-f]*)$/i.test(labels.at(-1) ?? "");
	return text.length <= 253 && labels.every((one) => label.test(one)) && !isNumber;
}
