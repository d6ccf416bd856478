import type { Seen } from "../api/screen.ts";
import { type Frame, rowOf } from "./frame.ts";
import { recognise } from "./recognise.ts";

/** A frame, and what stood on it. */
export interface Looked {
	readonly frame: Frame;
	readonly seen: Seen;
}

/** A clock, a cursor, a pointer that moves: less than this part of the pixels. */
const smallChange = 0.002;

/**
 * Says what stands on a screen that has been looked at before, and does the least that is needed: most screens are the same as a moment
 * ago, or differ by a clock. A blue screen is always looked at: its percentage may have stopped.
 * @param last undefined for the first look
 */
export function lookAgain(frame: Frame, last: Looked | undefined): Seen {
	if (!last) return recognise(frame);
	const mayStay = last.seen.kind !== "blue-screen" && changeOf(frame, last.frame) <= limitOf(last.seen);
	return mayStay ? last.seen : recognise(frame, last.frame);
}

/** What a small change may have made of it: of letters something else, of a desktop hardly. */
function limitOf({ kind }: Seen): number {
	return kind === "other" ? smallChange : 0;
}

/** The part of the pixels that differs; 1 for another size. Counting ends beyond a small change. */
function changeOf(now: Frame, old: Frame): number {
	if (now.width !== old.width || now.height !== old.height) return 1;
	const most = now.width * now.height * smallChange;
	let changed = 0;
	for (let y = 0; y < now.height && changed <= most; y++) {
		const [a, b] = [rowOf(now, y), rowOf(old, y)];
		if (Buffer.compare(a, b) === 0) continue;
		for (let i = 0; i < a.length; i += 3) {
			if (a[i] !== b[i] || a[i + 1] !== b[i + 1] || a[i + 2] !== b[i + 2]) changed++;
		}
	}
	return changed / (now.width * now.height);
}
