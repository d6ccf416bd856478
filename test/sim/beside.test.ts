import { expect, test } from "vitest";
import { Supervisor } from "../../src/session/supervisor.ts";
import { settled } from "./clock.ts";
import { World } from "./world.ts";

const policy = {
	server: "dc1",
	hearing: { agent: true, services: ["http"] },
	patience: { boot: 300_000, silence: 20_000 },
	budget: { attempts: 5, withinMs: 600_000 },
	warm: null,
};

test("a defect in what is done beside the session is told, and gives up no server that waits for its next attempt", async () => {
	const around = { agent: true, services: ["http"], screens: false, checks: undefined };
	const world = new World({ kind: "ready", afterMs: 8000 }, around);
	const env = world.env();
	const { door, journal } = env;
	const loadIncident = journal.loadIncident.bind(journal);
	let read = false;
	const felt = door.felt.bind(door);
	door.felt = async (from, to) => {
		const found = await felt(from, to);
		read = true;
		return found;
	};
	journal.loadIncident = async (id) => {
		if (read) throw new Error("a defect");
		return await loadIncident(id);
	};
	const supervisor = new Supervisor(policy, structuredClone(world.saved), env);
	void supervisor.command({ do: "start" });
	await world.clock.passUntil(60_000);
	world.guest.panic();
	// Ready again at 68.2 s; what users felt is asked for at 69.7 s.
	await world.clock.passUntil(69_000);
	world.startFailure = "no memory";
	world.guest.kill();
	await world.clock.passUntil(69_800);
	expect(world.defects).toEqual(["Supervision failed: a defect"]);
	expect(world.saved).toMatchObject({ state: "recovering", session: null });
	world.startFailure = undefined;
	await world.clock.passUntil(120_000);
	expect(world.saved).toMatchObject({ state: "running", reason: "" });
	void supervisor.leave();
	await settled();
});
