import { z } from "zod";

/** The looks that Windows' blue screens have had, by the versions that draw them. */
export const blueScreenEras = ["nt4", "2000-to-2008-r2", "8-to-10", "11"] as const;

/** What a blue screen says about its cause, where its letters can be read. */
export const stopView = z.object({
	/** 0x0000000A is 10. */
	code: z.int(),
	/** As the screen has them, in lower case: `0xfffff880009a9420`. Text, since a number of JavaScript holds 53 bits. */
	parameters: z.array(z.string()),
	/** `IRQL_NOT_LESS_OR_EQUAL` */
	name: z.string().optional(),
	/** The driver that is blamed: `i8042prt.SYS`. */
	module: z.string().optional(),
});

/**
 * What stands on a server's screen. All text is the guest's: hostile, shown as it came.
 * - `blue-screen`: Windows has crashed. `dump` says whether it writes its memory to disk: `none` where the screen can be
 *   read and says nothing of it, `unknown` where that cannot be told.
 * - `updating`, `checking-disk`: Windows is at work, and not to be disturbed.
 * - `boot`: a logo. `text`: a screen of letters, whatever they say. `other`: a desktop, a login, anything else.
 */
export const seenView = z.discriminatedUnion("kind", [
	z.object({
		kind: z.literal("blue-screen"),
		era: z.enum(blueScreenEras),
		stop: stopView.optional(),
		dump: z.enum(["none", "writing", "done", "unknown"]),
		/**
		 * True where there is neither a sad face nor a text that could be read: lines in that order alone, which other screens
		 * may have too.
		 */
		faceless: z.literal(true).optional(),
		/** How far the dump is, where that can be read. */
		percent: z.int().min(0).max(100).optional(),
		/** The screen's lines, where they can be read. */
		text: z.string().optional(),
	}),
	z.object({ kind: z.literal("updating") }),
	z.object({ kind: z.literal("checking-disk") }),
	/** The lines from the panic's first on. */
	z.object({ kind: z.literal("linux-panic"), text: z.string() }),
	z.object({ kind: z.literal("boot") }),
	z.object({ kind: z.literal("text") }),
	z.object({ kind: z.literal("black") }),
	z.object({ kind: z.literal("other") }),
]);
export type Seen = z.infer<typeof seenView>;
export type BlueScreen = Extract<Seen, { kind: "blue-screen" }>;
