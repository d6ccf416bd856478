import { InvalidArgumentError } from "commander";
import { parseDuration } from "../api/units.ts";

const longestMs = 3_600_000;

/** `60s` → milliseconds, at most an hour. @throws InvalidArgumentError */
export function durationArgument(text: string): number {
	const ms = parseDuration(text);
	if (ms === undefined) throw new InvalidArgumentError("Write a number and a unit: 500ms, 30s, 10m.");
	if (ms > longestMs) throw new InvalidArgumentError("The most is 1h.");
	return ms;
}

/** A count from 0 to 1,000. @throws InvalidArgumentError */
export function countArgument(text: string): number {
	const count = Number(text);
	if (/^\d+$/.test(text) && count <= 1000) return count;
	throw new InvalidArgumentError("Write a whole number from 0 to 1000.");
}

/** A port from 1 to 65,535. @throws InvalidArgumentError */
export function portArgument(text: string): number {
	const port = Number(text);
	if (/^\d{1,5}$/.test(text) && port >= 1 && port <= 65_535) return port;
	throw new InvalidArgumentError("Write a port from 1 to 65535.");
}
