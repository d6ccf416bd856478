import { around, type Box, heightOf, type Ink, type Mark, widthOf } from "./marks.ts";

/**
 * The ring that turns while Windows works: five or six dots on a part of a circle (Windows 8 and later), or a small hoop (Vista
 * and 7). It stands alone: letters that look alike have neighbours. Sizes are parts of the screen's height.
 */
const radii = { least: 0.01, most: 0.06 };
/** What is farther from a dot belongs to something else. */
const widestGap = 0.013;
const mostDots = 8;
/** In points; what is less is a speck of a faint letter. */
const leastDot = 3;
/** Screens with a ring have a few lines of letters beside it. */
const mostMarks = 1500;
/** How far ink may be off the circle, as a part of its radius: dots have a size. */
const tolerance = 0.35;

interface Point {
	x: number;
	y: number;
}

/** @returns the ring's marks; empty when there is none */
export function ringOf(ink: Ink): Mark[] {
	if (ink.marks.length > mostMarks) return [];
	const isAlone = (marks: readonly Mark[]) =>
		marks.length <= mostDots &&
		marks.every(({ area }) => area >= leastDot) &&
		isSmall(around(marks), ink.height);
	return (
		groups(ink.marks, Math.max(2, ink.height * widestGap)).find(
			(marks) => isAlone(marks) && isRound(marks, ink),
		) ?? []
	);
}

function isSmall(box: Box, height: number): boolean {
	const size = Math.max(widthOf(box), heightOf(box));
	return size <= height * radii.most * 2.4 && size >= height * radii.least;
}

/** Marks that are near to each other, also by others between them. */
function groups(marks: readonly Mark[], gap: number): Mark[][] {
	const rest = new Set(marks.toSorted((a, b) => a.left - b.left));
	const found: Mark[][] = [];
	for (const first of rest) {
		rest.delete(first);
		const group = [first];
		for (const mark of group) {
			for (const other of rest) {
				if (other.left - mark.right > gap) break;
				if (mark.left - other.right > gap || other.top - mark.bottom > gap || mark.top - other.bottom > gap)
					continue;
				rest.delete(other);
				group.push(other);
			}
		}
		found.push(group);
	}
	return found;
}

/** Whether all ink of these marks is near one circle of a ring's size. */
function isRound(marks: readonly Mark[], { points, width, height }: Ink): boolean {
	const at: Point[] = [];
	const box = around(marks);
	for (let y = box.top; y < box.bottom; y++) {
		for (let x = box.left; x < box.right; x++) if (points[y * width + x]) at.push({ x, y });
	}
	const circle = circleThrough(at);
	if (!circle || circle.r < height * radii.least || circle.r > height * radii.most) return false;
	const off = (p: Point) => Math.abs(Math.hypot(p.x - circle.x, p.y - circle.y) - circle.r);
	return at.every((p) => off(p) <= Math.max(1.5, circle.r * tolerance));
}

/** The circle that fits best: least squares after Kåsa (1976). */
function circleThrough(points: readonly Point[]): (Point & { r: number }) | undefined {
	const n = points.length;
	const mean = { x: sum(points, (p) => p.x) / n, y: sum(points, (p) => p.y) / n };
	const moved = points.map(({ x, y }) => ({ x: x - mean.x, y: y - mean.y }));
	const [xx, yy, xy] = [
		sum(moved, (p) => p.x * p.x),
		sum(moved, (p) => p.y * p.y),
		sum(moved, (p) => p.x * p.y),
	];
	const square = (p: Point) => p.x * p.x + p.y * p.y;
	const [xz, yz] = [sum(moved, (p) => p.x * square(p)), sum(moved, (p) => p.y * square(p))];
	const d = 2 * (xx * yy - xy * xy);
	if (Math.abs(d) < 1e-6) return undefined;
	const [x, y] = [(xz * yy - yz * xy) / d, (yz * xx - xz * xy) / d];
	return { x: x + mean.x, y: y + mean.y, r: Math.sqrt(x * x + y * y + (xx + yy) / n) };
}

function sum(points: readonly Point[], value: (point: Point) => number): number {
	return points.reduce((total, point) => total + value(point), 0);
}
