import { z } from "zod";
import table from "./stop-codes.json" with { type: "json" };

/** A code that Windows stops with when it crashes. */
export const stopCodeSchema = z.strictObject({
	/** As in Microsoft's list: `0x0000000A`. */
	code: z.string().regex(/^0x[0-9A-F]{8}$/),
	name: z.string().regex(/^[A-Z][A-Z0-9_]+$/),
	/** Microsoft's page of it. */
	page: z.string().regex(/^https:\/\/learn\.microsoft\.com\/[a-z0-9/-]+$/),
	/** What it means to an administrator, in one sentence; of most others its page says no more than the name. */
	says: z.string().optional(),
	/** What its four parameters are. */
	parameters: z.array(z.string()).length(4).optional(),
});
export type StopCode = z.infer<typeof stopCodeSchema>;

/**
 * Every code of Microsoft's list (https://learn.microsoft.com/windows-hardware/drivers/debugger/bug-check-code-reference2),
 * in order.
 */
export const stopCodes: readonly StopCode[] = table;

const byNumber = new Map(stopCodes.map((one) => [Number(one.code), one]));
const byName = new Map(stopCodes.map((one) => [one.name, one]));

/** @returns what is known of a code; undefined for one that Microsoft's list does not have */
export function stopCodeOf(code: number): StopCode | undefined {
	return byNumber.get(code);
}

/** Newer screens show the name alone. @returns undefined for one that Microsoft's list does not have */
export function stopCodeNamed(name: string): StopCode | undefined {
	return byName.get(name);
}

/** @returns as people write it: `0xD1` */
export function formatStopCode(code: number): string {
	return `0x${code.toString(16).toUpperCase()}`;
}
