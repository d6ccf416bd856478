import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import { BulkheadError } from "../src/api/errors.ts";
import { defaultState } from "../src/api/routes.ts";
import { StandIn } from "../src/client/stand-in.ts";
import { Lab } from "./lab.ts";

const statusOf = (state: string, pid: number) => ({
	...{ version: "1.0.0", pid, startedAt: 0, state, site: null, changing: false },
	accelerator: "tcg" as const,
});

/** A daemon that no lab has started: a process, and what answers for it until that is ended. */
async function someDaemon(): Promise<StandIn> {
	const process_ = spawn("sleep", ["600"], { stdio: "ignore" });
	const standIn = await StandIn.start({
		status: () => statusOf(standIn.state, process_.pid ?? 0),
		list: () => [],
	});
	process_.once("exit", () => void standIn.stop());
	onTestFinished(async () => {
		process_.kill("SIGKILL");
		await standIn[Symbol.asyncDispose]();
	});
	return standIn;
}

test.each([defaultState, `${defaultState}/`, `${defaultState}/../bulkhead`])(
	"no lab is made of %s",
	(state) => {
		expect(() => new Lab(state)).toThrow(/servers are that people use/);
	},
);

test("where a daemon works that it did not start a lab starts none, and destroys nothing", async () => {
	const { state, seen } = await someDaemon();
	const lab = new Lab(state);
	await expect(lab.startDaemon()).rejects.toThrow(/daemon \d+ works on .* already/);
	await expect(lab.dispose()).rejects.toThrow("could not be put away");
	expect(new Set(seen)).toEqual(new Set(["GET /v1/status"]));
	expect(existsSync(state)).toBe(true);
});

test("what a lab that was kept has is put away, with its daemon", async () => {
	const { state, answers } = await someDaemon();
	answers.leaveDomain = () => {
		throw new BulkheadError("not-found", "this host is a member of no domain");
	};
	await new Lab(state).disposeKept();
	expect(existsSync(state)).toBe(false);
});

test("a domain that the host could not leave is told of, and the rest is put away", async () => {
	const { state, answers } = await someDaemon();
	answers.leaveDomain = () => {
		throw new BulkheadError("internal", "winbindd does not end");
	};
	await expect(new Lab(state).disposeKept()).rejects.toThrow(
		"left behind: membership of a domain (winbindd does not end)",
	);
	expect(existsSync(state)).toBe(false);
});
