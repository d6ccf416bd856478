import { expect, test } from "vitest";
import { sampleIncident, sampleServer } from "../../src/client/samples.ts";
import { StandIn } from "../../src/client/stand-in.ts";
import { Lab } from "../lab.ts";
import { runDrill } from "./drills.ts";

test("a drill is of the session that was made to fail, also when the next one is there before that is asked for", async () => {
	const found = sampleIncident({
		...{ id: "till-7", server: "till", session: 7, nextSession: 8, outcome: "recovered" },
	});
	await using daemon = await StandIn.start({
		drill: () => ({ session: 7, at: found.at }),
		list: () => {
			const { session, ...server } = sampleServer({ name: "till" });
			return [{ ...server, session: session && { ...session, number: 8 } }];
		},
		incidents: () => [found],
	});
	const client = { felt: () => ({ sent: 3, failed: 0, longestPauseMs: 150 }) };
	const within = AbortSignal.timeout(10_000);
	const { result } = await runDrill(
		{ server: "till", fault: "panic" },
		new Lab(daemon.state),
		client,
		within,
	);
	expect(result).toMatchObject({ incident: "till-7", sessionBefore: 7, sessionAfter: 8 });
});
