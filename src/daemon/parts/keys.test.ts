import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { DeadlineError } from "../../host/clock.ts";
import { scriptedMachine } from "../../qemu/testing/monitor.ts";
import { pressKeys } from "./keys.ts";

let folder = "";
beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "bulkhead-keys-"));
});
afterEach(async () => {
	await rm(folder, { recursive: true });
});

test("a session that ends meanwhile is told, with how many keys it got", async () => {
	let keys = 0;
	const { monitor, machine } = await scriptedMachine(folder, (execute) => {
		if (execute === "send-key" && ++keys > 2) monitor.hangUp();
		return {};
	});
	await using _ = monitor;
	await expect(pressKeys("web", machine, ["a", "b", "c", "d"])).rejects.toMatchObject({
		code: "not-allowed-now",
		message: "the session of web has ended: 2 of 4 keys were pressed",
	});
	// It had ended already.
	await expect(pressKeys("web", machine, ["a"])).rejects.toMatchObject({ code: "not-allowed-now" });
	machine.leave();
});

test("a QEMU that does not answer is told", async () => {
	const pressing = async () => {
		throw new DeadlineError("QMP send-key", 5000);
	};
	await expect(pressKeys("web", { pressKeys: pressing }, ["a"])).rejects.toMatchObject({
		code: "guest-did-not-answer",
	});
});
