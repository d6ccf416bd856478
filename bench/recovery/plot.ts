/** One row of the plot: a name, and a value for each panic in milliseconds. */
export interface PlotRow {
	title: string;
	values: readonly number[];
	median: number;
}

const width = 760;
const left = 205;
const right = 130;
const rowHeight = 62;
const top = 64;

/**
 * A dot for each panic on a logarithmic axis, a line at the median. Plain SVG without scripts; colours follow the reader's
 * light or dark scheme.
 */
export function plotSvg(title: string, subtitle: string, rows: readonly PlotRow[]): string {
	const values = rows.flatMap((row) => row.values);
	const low = 10 ** Math.floor(Math.log10(Math.max(1, Math.min(...values))));
	const high = niceAbove(Math.max(...values));
	const x = (ms: number) => {
		const share = Math.log10(Math.max(low, ms) / low) / Math.log10(high / low);
		return Math.round((left + share * (width - left - right)) * 10) / 10;
	};
	const bottom = top + rows.length * rowHeight;
	const height = bottom + 44;
	const ticks = ticksBetween(low, high);
	return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escapeText(title)}">
<style>
text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328 }
.title { font-size: 15px; font-weight: 600 }
.quiet { fill: #59636e; font-size: 12px }
.grid { stroke: #d1d9e0; stroke-width: 1 }
.dot { fill: #0969da; fill-opacity: .45 }
.median { stroke: #0a3069; stroke-width: 2.5; stroke-linecap: round }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc }
.quiet { fill: #9198a1 }
.grid { stroke: #3d444d }
.dot { fill: #58a6ff }
.median { stroke: #cae8ff }
}
</style>
<text class="title" x="16" y="24">${escapeText(title)}</text>
<text class="quiet" x="16" y="43">${escapeText(subtitle)}</text>
${ticks.map((ms) => `<line class="grid" x1="${x(ms)}" x2="${x(ms)}" y1="${top}" y2="${bottom}"/>`).join("\n")}
${ticks.map((ms) => `<text class="quiet" x="${x(ms)}" y="${bottom + 18}" text-anchor="middle">${inWords(ms)}</text>`).join("\n")}
<text class="quiet" x="${(left + width - right) / 2}" y="${bottom + 37}" text-anchor="middle">logarithmic scale; shorter is better</text>
${rows.map((row, index) => plotRow(row, top + index * rowHeight + rowHeight / 2, x)).join("\n")}
</svg>
`;
}

function plotRow({ title, values, median }: PlotRow, y: number, x: (ms: number) => number): string {
	const dots = values.map((ms, i) => {
		// Spread over the row, so that equal values can be told apart; the same at every run.
		const offset = ((i * 7) % 11) - 5;
		return `<circle class="dot" cx="${x(ms)}" cy="${y + offset * 2}" r="4"/>`;
	});
	return [
		`<text x="${left - 16}" y="${y + 4}" text-anchor="end">${escapeText(title)}</text>`,
		...dots,
		`<line class="median" x1="${x(median)}" x2="${x(median)}" y1="${y - 18}" y2="${y + 18}"/>`,
		`<text x="${width - right + 16}" y="${y + 4}">median ${inWords(median)}</text>`,
	].join("\n");
}

/** 1, 2 or 5 times a power of ten that is not below. */
function niceAbove(ms: number): number {
	const power = 10 ** Math.floor(Math.log10(ms));
	return power * ([1, 2, 5, 10].find((factor) => factor * power >= ms) ?? 10);
}

function ticksBetween(low: number, high: number): number[] {
	const ticks = [];
	for (let power = low; power <= high; power *= 10) {
		// Every power of ten; 2 and 5 in between where there is room.
		for (const factor of high / low > 1000 ? [1] : [1, 2, 5])
			if (factor * power <= high) ticks.push(factor * power);
	}
	return ticks;
}

/** `85 ms`, `0.21 s` is what people say of times below and above 100 ms. */
export function inWords(ms: number): string {
	if (ms < 100) return `${Math.round(ms)} ms`;
	return `${Number((ms / 1000).toPrecision(3))} s`;
}

function escapeText(text: string): string {
	return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
