import { formatDuration } from "../api/units.ts";

/** Local date and time to the second: `2026-03-04 10:11:12`. @param at milliseconds since the Unix epoch */
export function formatTime(at: number): string {
	const date = new Date(at);
	const two = (value: number) => String(value).padStart(2, "0");
	const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join("-");
	return `${day} ${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":")}`;
}

/** As `formatTime`, to the millisecond. */
export function formatTimeMs(at: number): string {
	return `${formatTime(at)}.${String(Math.floor(at) % 1000).padStart(3, "0")}`;
}

/** How long ago that was: `12 min ago`. Clocks may disagree a little: what lies ahead is now. */
export function formatAgo(at: number, now = Date.now()): string {
	return `${formatCoarse(now - at)} ago`;
}

/** A duration without fractions of a second: `8 s`, `12 min`. @param ms milliseconds */
export function formatCoarse(ms: number): string {
	return ms < 60_000 ? `${Math.max(0, Math.floor(ms / 1000))} s` : formatDuration(ms);
}
