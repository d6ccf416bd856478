/** One line of `show stat`: a frontend, a server, or a backend as a whole. */
export interface StatRow {
	proxy: string;
	/** The server's name, or FRONTEND or BACKEND. */
	server: string;
	/** A column by the name that section 9.1 of HAProxy's management guide gives it; "" when it is not there. */
	text(column: string): string;
	/** The same as a number; 0 when it is not there or empty. */
	number(column: string): number;
}

/** Reads `show stat`: CSV with a heading. */
export function parseStat(stat: string): StatRow[] {
	const [heading = "", ...lines] = stat.split("\n");
	const columns = heading.replace(/^# /, "").split(",");
	return lines.filter((line) => line !== "").map((line) => rowOf(columns, line.split(",")));
}

function rowOf(columns: readonly string[], cells: readonly string[]): StatRow {
	const text = (column: string) => cells[columns.indexOf(column)] ?? "";
	return {
		proxy: text("pxname"),
		server: text("svname"),
		text,
		number: (column) => Number(text(column)) || 0,
	};
}
