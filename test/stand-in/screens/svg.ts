import { spawn } from "node:child_process";
import type { Frame } from "../../../src/screen/frame.ts";
import { readPng } from "../../frames/png.ts";

/** Renders a picture with Debian's rsvg-convert (package librsvg2-bin; letters by fonts-open-sans). @throws Error */
export async function render(svg: string): Promise<Frame> {
	const child = spawn("rsvg-convert", ["-f", "png"], { stdio: ["pipe", "pipe", "inherit"], timeout: 30_000 });
	const chunks: Buffer[] = [];
	child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
	const ended = new Promise<number | null>((resolve, reject) => {
		child.once("error", reject);
		child.once("close", resolve);
	});
	child.stdin.end(svg);
	const code = await ended;
	if (code !== 0) throw new Error(`rsvg-convert ended with code ${code}`);
	return readPng(Buffer.concat(chunks));
}

export interface Size {
	width: number;
	height: number;
}

export function picture({ width, height }: Size, background: string, ...parts: string[]): string {
	const ground = background.startsWith("<") ? background : rectangle(0, 0, width, height, background);
	return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${ground}${parts.join("")}</svg>`;
}

export function rectangle(
	x: number,
	y: number,
	width: number,
	height: number,
	fill: string,
	more = "",
): string {
	return `<rect x="${x}" y="${y}" width="${width}" height="${height}" fill="${fill}" ${more}/>`;
}

export interface Letters {
	size: number;
	/** Of 100 to 900; Segoe UI Semilight's stand-in is Open Sans Light. */
	weight?: number;
	fill?: string;
	anchor?: "start" | "middle" | "end";
	family?: string;
}

/** One line; y is the line its letters stand on. */
export function words(
	x: number,
	y: number,
	text: string,
	{ size, weight = 300, fill = "#fff", ...rest }: Letters,
): string {
	const escaped = text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
	const family = rest.family ?? "Open Sans";
	return `<text x="${x}" y="${y}" font-family="${family}" font-weight="${weight}" font-size="${size}" fill="${fill}" text-anchor="${rest.anchor ?? "start"}" xml:space="preserve">${escaped}</text>`;
}

/** Lines below each other; `step` is their distance. */
export function lines(
	x: number,
	y: number,
	texts: readonly string[],
	step: number,
	letters: Letters,
): string {
	return texts.map((text, i) => words(x, y + i * step, text, letters)).join("");
}

/** The dots that go round while Windows works: some of a circle, at an angle. */
export function ring(x: number, y: number, radius: number, dots = 6, turn = 0.3, fill = "#fff"): string {
	return Array.from({ length: dots }, (_, i) => {
		const angle = turn + i * 0.52;
		const [cx, cy] = [x + radius * Math.sin(angle), y - radius * Math.cos(angle)];
		return `<circle cx="${cx.toFixed(1)}" cy="${cy.toFixed(1)}" r="${(radius / 7).toFixed(1)}" fill="${fill}"/>`;
	}).join("");
}

/** Windows' four panes. */
export function panes(x: number, y: number, size: number, fill: string): string {
	const half = size * 0.48;
	return [0, 1, 2, 3]
		.map((i) => rectangle(x + (i & 1) * size * 0.52, y + (i >> 1) * size * 0.52, half, half, fill))
		.join("");
}

/** Something that looks like a QR code of version 3: 29 modules, three finders, the rest by a fixed sequence. */
export function qrCode(x: number, y: number, size: number, dark: string, light = "#fff"): string {
	const modules = 29;
	const unit = size / (modules + 4);
	const cell = (column: number, row: number, w: number, fill: string) =>
		rectangle(
			x + (column + 2) * unit,
			y + (row + 2) * unit,
			w * unit,
			w * unit,
			fill,
			'shape-rendering="crispEdges"',
		);
	let seed = 7;
	let out = rectangle(x, y, size, size, light);
	for (let row = 0; row < modules; row++) {
		for (let column = 0; column < modules; column++) {
			seed = (seed * 1103515245 + 12345) % 2 ** 31;
			if (seed % 1000 < 480) out += cell(column, row, 1, dark);
		}
	}
	for (const [column, row] of [
		[0, 0],
		[22, 0],
		[0, 22],
	] as const) {
		out += cell(column - 0.5, row - 0.5, 8, light) + cell(column, row, 7, dark);
		out += cell(column + 1, row + 1, 5, light) + cell(column + 2, row + 2, 3, dark);
	}
	return out;
}
