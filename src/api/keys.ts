import { z } from "zod";

/** Keys that are pressed together, by QEMU's names (QKeyCode in qapi/ui.json), as `ctrl-alt-delete`. */
const combination = z.string().regex(/^[a-z0-9_]{1,20}(-[a-z0-9_]{1,20}){0,4}$/, {
	error: (issue) =>
		`${JSON.stringify(String(issue.input).slice(0, 40))} is no key; write keys that are pressed together as ctrl-alt-delete`,
});

export const keysBody = z.object({
	/** One after the other. */
	keys: z.array(combination).min(1).max(2000),
});

export const keysView = z.object({ server: z.string(), pressed: z.int() });

const shifted: Readonly<Record<string, string>> = {
	...{ "!": "1", "@": "2", "#": "3", $: "4", "%": "5", "^": "6", "&": "7", "*": "8", "(": "9", ")": "0" },
	...{
		_: "minus",
		"+": "equal",
		"{": "bracket_left",
		"}": "bracket_right",
		"|": "backslash",
		":": "semicolon",
	},
	...{ '"': "apostrophe", "~": "grave_accent", "<": "comma", ">": "dot", "?": "slash" },
};
const plain: Readonly<Record<string, string>> = {
	...{
		" ": "spc",
		"\n": "ret",
		"\t": "tab",
		"-": "minus",
		"=": "equal",
		"[": "bracket_left",
		"]": "bracket_right",
	},
	...{
		"\\": "backslash",
		";": "semicolon",
		"'": "apostrophe",
		"`": "grave_accent",
		",": "comma",
		".": "dot",
	},
	"/": "slash",
};

/**
 * The keys that type a text on a US keyboard, which is what every installer begins with.
 * @throws RangeError that names a character which that keyboard does not have
 */
export function keysOf(text: string): string[] {
	return [...text].map((character) => {
		if (/[a-z0-9]/.test(character)) return character;
		if (/[A-Z]/.test(character)) return `shift-${character.toLowerCase()}`;
		const [key, withShift] = [plain[character], shifted[character]];
		if (key === undefined && withShift === undefined)
			throw new RangeError(`a US keyboard has no ${JSON.stringify(character)}`);
		return key ?? `shift-${withShift}`;
	});
}
