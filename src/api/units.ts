import { z } from "zod";

const sizeUnits = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 } as const;
const durationUnits = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** `512MiB` → bytes. @returns undefined when the text is not a size */
export function parseSize(text: string): number | undefined {
	return parse(text, sizeUnits);
}

/** `10m` → milliseconds. @returns undefined when the text is not a duration */
export function parseDuration(text: string): number | undefined {
	return parse(text, durationUnits);
}

function parse(text: string, units: Readonly<Record<string, number>>): number | undefined {
	const match = /^(\d{1,9}(?:\.\d{1,3})?) ?([A-Za-z]+)$/.exec(text);
	const name = match?.[2];
	if (!match || name === undefined || !Object.hasOwn(units, name)) return undefined;
	return Math.round(Number(match[1]) * (units[name] ?? Number.NaN));
}

/** Bytes as a person writes them: the largest unit that shows at most one decimal. */
export function formatSize(bytes: number): string {
	const fitting = Object.entries(sizeUnits).filter(([, size]) => bytes >= size);
	const [unit, size] = fitting.at(-1) ?? ["B", 1];
	return `${Number((bytes / size).toFixed(1))}${unit}`;
}

/** Bytes as the site file takes them, to the byte where they can be written so, else rounded up to a whole MiB. */
export function exactSize(bytes: number): string {
	const exact = Object.entries(sizeUnits)
		.reverse()
		.filter(([, size]) => bytes >= size)
		.map(([unit, size]) => `${bytes / size}${unit}`)
		.find((text) => parseSize(text) === bytes);
	return exact ?? `${Math.ceil(bytes / sizeUnits.MiB)}MiB`;
}

/** Milliseconds as a person writes them: `86 ms`, `2.41 s`, `12 min`, `3 h 5 min`. */
export function formatDuration(ms: number): string {
	if (ms < 1000) return `${Math.round(ms)} ms`;
	if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
	const minutes = Math.round(ms / 60_000);
	if (minutes < 60) return `${minutes} min`;
	const hours = Math.floor(minutes / 60);
	return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** A size such as `512MiB`, at least `minimum` bytes. */
export function size(minimum: number, maximum = 64 * sizeUnits.TiB) {
	const unitHint = "write a number and a unit: 512MiB, 4GiB, 1.5TiB";
	return z
		.string({ error: () => `must be a size; ${unitHint}` })
		.superRefine((text, context) => {
			const bytes = parseSize(text);
			if (bytes === undefined) {
				context.addIssue({ code: "custom", message: `"${text.slice(0, 40)}" is not a size; ${unitHint}` });
			} else if (bytes < minimum || bytes > maximum) {
				const bounds = `between ${formatSize(minimum)} and ${formatSize(maximum)}`;
				context.addIssue({ code: "custom", message: `${text} is out of range; choose a size ${bounds}` });
			}
		})
		.meta({ description: `A size: ${unitHint}.` });
}

/** A duration such as `10m`, within bounds in milliseconds. */
export function duration(minimum: number, maximum: number) {
	const unitHint = "write a number and a unit: 500ms, 30s, 10m, 2h, 14d";
	return z
		.string({ error: () => `must be a duration; ${unitHint}` })
		.superRefine((text, context) => {
			const ms = parseDuration(text);
			if (ms === undefined) {
				context.addIssue({
					code: "custom",
					message: `"${text.slice(0, 40)}" is not a duration; ${unitHint}`,
				});
			} else if (ms < minimum || ms > maximum) {
				const bounds = `between ${formatDuration(minimum)} and ${formatDuration(maximum)}`;
				context.addIssue({ code: "custom", message: `${text} is out of range; choose a duration ${bounds}` });
			}
		})
		.meta({ description: `A duration: ${unitHint}.` });
}
