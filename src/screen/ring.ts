import { type Ink, fill, heightOf, type Mark, middleOf, widthOf } from "./marks.ts";

/**
 * The ring that turns while Windows works: five or six dots on a part of a circle (Windows 8 and later), or a small hoop (Vista
 * and 7). Sizes are parts of the screen's height.
 */
const largestDot = 0.02;
const radii = { least: 0.01, most: 0.06 };
const fewestDots = 4;
const mostDots = 8;
/** How far a dot may be off the circle, as a part of its radius. */
const tolerance = 0.25;

/** @returns the ring's marks; empty when there is none */
export function ringOf(ink: Ink): Mark[] {
	const dots = ink.marks.filter((mark) => isDot(mark, ink.height));
	for (const cluster of clusters(dots)) {
		if (cluster.length >= fewestDots && cluster.length <= mostDots && isRound(cluster, ink.height)) return cluster;
	}
	const hoop = ink.marks.find((mark) => isHoop(mark, ink));
	return hoop ? [hoop] : [];
}

function isDot(mark: Mark, height: number): boolean {
	const [w, h] = [widthOf(mark), heightOf(mark)];
	if (w < 2 || h < 2 || w > height * largestDot || h > height * largestDot) return false;
	return Math.abs(w - h) <= Math.max(1, Math.min(w, h) * 0.5) && fill(mark) > 0.6;
}

/** Dots that are near to each other. */
function clusters(dots: readonly Mark[]): Mark[][] {
	const left = new Set(dots);
	const found: Mark[][] = [];
	for (const first of dots) {
		if (!left.delete(first)) continue;
		const cluster = [first];
		for (const dot of cluster) {
			for (const other of left) {
				if (distance(dot, other) > 4 * Math.max(widthOf(dot), heightOf(dot))) continue;
				left.delete(other);
				cluster.push(other);
			}
		}
		found.push(cluster);
	}
	return found;
}

function distance(a: Mark, b: Mark): number {
	return Math.hypot(middleOf(a) - middleOf(b), (a.top + a.bottom - b.top - b.bottom) / 2);
}

/** Whether a circle of a ring's size goes through all of them. */
function isRound(dots: readonly Mark[], height: number): boolean {
	const at = dots.map((dot) => ({ x: middleOf(dot), y: (dot.top + dot.bottom) / 2 }));
	const circle = circleThrough(...farthest(at));
	if (!circle || circle.r < height * radii.least || circle.r > height * radii.most) return false;
	const off = at.map(({ x, y }) => Math.abs(Math.hypot(x - circle.x, y - circle.y) - circle.r));
	return Math.max(...off) <= Math.max(1, circle.r * tolerance);
}

interface Point {
	x: number;
	y: number;
}

/** The two ends and what is farthest from the line between them. */
function farthest(points: readonly Point[]): [Point, Point, Point] {
	let [a, b, most] = [points[0] as Point, points[1] as Point, 0];
	for (const p of points) {
		for (const q of points) {
			const far = Math.hypot(p.x - q.x, p.y - q.y);
			if (far > most) [a, b, most] = [p, q, far];
		}
	}
	const off = (p: Point) => Math.abs((b.x - a.x) * (a.y - p.y) - (a.x - p.x) * (b.y - a.y));
	const c = points.toSorted((p, q) => off(q) - off(p))[0] as Point;
	return [a, b, c];
}

function circleThrough(a: Point, b: Point, c: Point): (Point & { r: number }) | undefined {
	const d = 2 * (a.x * (b.y - c.y) + b.x * (c.y - a.y) + c.x * (a.y - b.y));
	if (Math.abs(d) < 1) return undefined;
	const [aa, bb, cc] = [a, b, c].map(({ x, y }) => x * x + y * y) as [number, number, number];
	const x = (aa * (b.y - c.y) + bb * (c.y - a.y) + cc * (a.y - b.y)) / d;
	const y = (aa * (c.x - b.x) + bb * (a.x - c.x) + cc * (b.x - a.x)) / d;
	return { x, y, r: Math.hypot(a.x - x, a.y - y) };
}

/** A small circle with nothing in its middle. Letters are never as large; a field or a tile has corners. */
function isHoop(mark: Mark, { points, width, height }: Ink): boolean {
	const [w, h] = [widthOf(mark), heightOf(mark)];
	if (h < height * 0.028 || h > height * 0.1 || Math.abs(w - h) > Math.max(2, h * 0.2)) return false;
	if (fill(mark) > 0.7) return false;
	const empty = (x: number, y: number) => !points[Math.floor(y) * width + Math.floor(x)];
	const middle = { x: middleOf(mark), y: (mark.top + mark.bottom) / 2 };
	for (let dx = -0.2; dx <= 0.2; dx += 0.1) {
		for (let dy = -0.2; dy <= 0.2; dy += 0.1) if (!empty(middle.x + dx * w, middle.y + dy * h)) return false;
	}
	const corners = [
		[mark.left, mark.top],
		[mark.right - 1, mark.top],
		[mark.left, mark.bottom - 1],
		[mark.right - 1, mark.bottom - 1],
	] as const;
	return corners.every(([x, y]) => empty(x, y));
}
