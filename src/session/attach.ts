import type { Holder } from "./holder.ts";
import type { Ledger } from "./ledger.ts";
import type { SessionRecord } from "./state.ts";

/** From here on the session that is held is the server's: it is watched and remembered. */
export async function attach(session: SessionRecord, ledger: Ledger, holder: Holder): Promise<void> {
	// A guest that restarts itself boots again, in a session that was ready before.
	const booting = session.readyAt === null || ledger.record.state === "starting";
	ledger.set({ session, planned: null });
	// First of all it is watched; the next daemon finds it by its planned number, too.
	holder.watch(booting ? "booting" : "ready");
	await ledger.save();
}
