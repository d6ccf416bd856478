import type { Seen } from "../../src/api/screen.ts";

/** What stands on a recorded frame. */
export interface Truth {
	kind: Seen["kind"];
	era?: string;
	stop?: { code: number; parameters: string[]; name?: string; module?: string };
	dump?: string;
	faceless?: true;
	percent?: number;
	/** Words that the text has. */
	says?: string;
	/** The frame that was recorded a moment before, and is given to the recogniser with it. */
	before?: string;
}
