import type { Patience } from "./detection.ts";
import type { Hearing } from "./evidence.ts";
import type { Budget } from "./recovery.ts";
import type { WarmPolicy } from "./reserve.ts";

/** How a server is supervised: from its definition. */
export interface Policy {
	server: string;
	hearing: Hearing;
	patience: Patience;
	budget: Budget;
	/** Null for a server that recovers cold. */
	warm: WarmPolicy | null;
}
