import { around, type Box, fill, heightOf, type Ink, type Mark, middleOf, widthOf } from "./marks.ts";

/** A bracket that opens to the right, and two dots left of it, one above the other. */
export function faceOf({ marks, points, width, height }: Ink): Box | undefined {
	for (const bracket of marks) {
		const h = heightOf(bracket);
		const isHigh = h > height * 0.07 && h < height * 0.3 && widthOf(bracket) < h * 0.5;
		if (!isHigh || bracket.right > width * 0.4 || bracket.top > height * 0.5) continue;
		if (!isBracket(bracket, points, width)) continue;
		const left = marks.filter(
			(mark) =>
				mark.right <= bracket.left + 1 &&
				bracket.left - mark.right < h * 0.6 &&
				mark.top >= bracket.top - 1 &&
				mark.bottom <= bracket.bottom + 1,
		);
		if (left.length === 2 && areColon(left, h)) return around([bracket, ...left]);
	}
	return undefined;
}

function areColon([a, b]: readonly Mark[], h: number): boolean {
	if (!a || !b) return false;
	const size = (mark: Mark) => (widthOf(mark) + heightOf(mark)) / 2;
	const isSpot = (mark: Mark) =>
		size(mark) > h * 0.03 && size(mark) < h * 0.3 && fill(mark) > 0.55 && widthOf(mark) < 2 * heightOf(mark);
	const aligned = Math.abs(middleOf(a) - middleOf(b)) <= Math.max(1, size(a) * 0.4);
	const apart = Math.abs(a.top - b.top) > 1.5 * size(a);
	return (
		isSpot(a) && isSpot(b) && aligned && apart && Math.abs(size(a) - size(b)) <= Math.max(1.5, size(a) * 0.4)
	);
}

/** Thin all along, and farther left in the middle than at both ends. */
function isBracket(mark: Mark, points: Uint8Array, width: number): boolean {
	const h = heightOf(mark);
	const row = (part: number) => {
		const y = Math.min(mark.bottom - 1, Math.floor(mark.top + part * h));
		let [first, count] = [-1, 0];
		for (let x = mark.left; x < mark.right; x++) {
			if (!points[y * width + x]) continue;
			if (first < 0) first = x;
			count++;
		}
		return { first, count };
	};
	const [top, middle, bottom] = [row(0.02), row(0.5), row(0.98)];
	const bend = widthOf(mark) * 0.25;
	const thin = [0.1, 0.3, 0.5, 0.7, 0.9].every(
		(part) => row(part).count <= Math.max(2, widthOf(mark) * 0.65),
	);
	return thin && top.first - middle.first >= bend && bottom.first - middle.first >= bend;
}
