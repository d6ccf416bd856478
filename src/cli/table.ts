import { clean, type Line, type Part, styled } from "./terminal.ts";
import { pad, truncate, widthOf } from "./width.ts";

export interface Column {
	readonly title: string;
	readonly align?: "left" | "right";
	/** May be cut when the terminal is too narrow; the least that stays of it, in columns. */
	readonly least?: number;
}

const gap = "  ";

/**
 * Plain aligned columns under a bold header.
 * @param width columns of the terminal; undefined where nothing has to be cut
 */
export function table(columns: readonly Column[], rows: readonly Line[], width?: number): Line[] {
	const texts = rows.map((row) => row.map(textOf));
	const needed = columns.map((column, i) =>
		Math.max(widthOf(column.title), ...texts.map((row) => widthOf(row[i] ?? ""))),
	);
	const widths = width === undefined ? needed : narrow(columns, needed, width);
	const header = columns.map((column) => styled(column.title, "bold"));
	return [header, ...rows].map((row) => layOut(columns, row, widths));
}

function textOf(part: Part): string {
	return clean(typeof part === "string" ? part : part.text);
}

function layOut(columns: readonly Column[], row: Line, widths: readonly number[]): Line {
	const parts = columns.flatMap((column, i): Part[] => {
		const part = row[i] ?? "";
		const columnWidth = widths[i] ?? 0;
		const text = truncate(textOf(part), columnWidth);
		const last = i === columns.length - 1;
		const padded = last && column.align !== "right" ? text : pad(text, columnWidth, column.align);
		return [typeof part === "string" ? padded : { ...part, text: padded }, last ? "" : gap];
	});
	return parts.slice(0, parts.findLastIndex((part) => textOf(part).trim() !== "") + 1);
}

/** Whether a table needs no more than so many columns of a terminal. */
export function fits(lines: readonly Line[], width: number | undefined): boolean {
	return width === undefined || lines.every((line) => widthOf(line.map(textOf).join("")) <= width);
}

/** Takes what is too much from the columns that may be cut, the last ones first. */
function narrow(columns: readonly Column[], needed: readonly number[], width: number): number[] {
	const widths = [...needed];
	const total = needed.reduce((sum, each) => sum + each, gap.length * (columns.length - 1));
	let excess = total - width;
	for (let i = columns.length - 1; i >= 0 && excess > 0; i--) {
		const least = columns[i]?.least;
		const now = widths[i] ?? 0;
		if (least === undefined || now <= least) continue;
		const taken = Math.min(excess, now - least);
		widths[i] = now - taken;
		excess -= taken;
	}
	return widths;
}

/** Names and values under each other, the values aligned. */
export function pairs(entries: readonly (readonly [string, Part])[]): Line[] {
	const width = Math.max(...entries.map(([name]) => widthOf(name)));
	return entries.map(([name, value]) => [styled(pad(name, width), "dim"), gap, value]);
}
