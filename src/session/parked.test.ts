import { expect, test } from "vitest";
import type { Env, Machine } from "./env.ts";
import { IncidentBook } from "./incident-book.ts";
import { Keeper } from "./keeper.ts";
import { Ledger } from "./ledger.ts";
import { Parked, type ParkedEnd } from "./parked.ts";
import { newRecord } from "./state.ts";

test("a replaced session whose files cannot be removed is told of, and remembered for the next time", async () => {
	const said: string[] = [];
	const env = {
		clock: { now: () => 0, sleep: async () => {} },
		machines: {
			cleanUp: async () => {
				throw new Error("EBUSY: resource busy or locked, rm");
			},
		},
		journal: { saveRecord: async () => {}, event: ({ text }: { text: string }) => void said.push(text) },
	} as unknown as Env;
	const machine = { session: { number: 7 }, close: async () => "ended" } as unknown as Machine;
	const keeper = new Keeper(env, () => {});
	const ledger = new Ledger("dc1", newRecord(), env, keeper);
	const { promise, resolve } = Promise.withResolvers<ParkedEnd>();
	const parked = new Parked(ledger, env, new IncidentBook(env, keeper), resolve);

	parked.note(machine);
	parked.end(machine);
	await parked.takeIn(await promise);

	expect(said).toEqual(["What is left of session 7 cannot be removed: EBUSY: resource busy or locked, rm"]);
	expect(ledger.record.parked).toEqual([7]);
});
