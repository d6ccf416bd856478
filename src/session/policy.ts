import type { Patience } from "./detection.ts";
import type { Hearing } from "./evidence.ts";
import type { Budget } from "./recovery.ts";
import type { WarmPolicy } from "./reserve.ts";
import type { AftermathRecord } from "./state.ts";

/** What is waited for between a crash and the end of its session. */
export interface CrashPolicy {
	does: AftermathRecord["does"];
	withinMs: number;
}

/** How a server is supervised: from its definition. */
export interface Policy {
	server: string;
	hearing: Hearing;
	patience: Patience;
	budget: Budget;
	/** What is done about a crash first; left out when its session is ended at once. A warm server has none. */
	onCrash?: CrashPolicy;
	/** Null for a server that recovers cold. */
	warm: WarmPolicy | null;
}
