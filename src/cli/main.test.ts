import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { BulkheadError } from "../api/errors.ts";
import { streams } from "../api/routes.ts";
import { samplePlan, sampleServer } from "../client/samples.ts";
import { StandIn } from "../client/stand-in.ts";

/** The real program, in a process of its own. */
const launcher = fileURLToPath(new URL("../../bin/bulkhead", import.meta.url));
let daemon: StandIn;

beforeAll(async () => {
	daemon = await StandIn.start({ list: () => [sampleServer()] });
});
afterAll(() => daemon[Symbol.asyncDispose]());

function start(args: string[], state = daemon.state) {
	const environment = { ...process.env, BULKHEAD_STATE: state };
	return spawn(launcher, args, { env: environment, stdio: ["ignore", "pipe", "pipe"] });
}

const exitOf = async (child: ChildProcess) => await new Promise((resolve) => child.once("exit", resolve));

async function bulkhead(...args: string[]) {
	const child = start(args);
	const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), exitOf(child)]);
	return { out, err, code };
}

/** Whoever reads its output has gone before it says anything. */
async function withoutReader(...args: string[]) {
	const child = start(args);
	child.stdout.destroy();
	const [err, code] = await Promise.all([text(child.stderr), exitOf(child)]);
	return { err, code };
}

/** @returns undefined as long as nobody reads there */
function writerOf(fifo: string): number | undefined {
	try {
		return openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
	} catch {
		return undefined;
	}
}

describe("exit codes", { timeout: 30_000 }, () => {
	it("0: done", async () => {
		expect(await bulkhead("list")).toMatchObject({
			code: 0,
			err: "",
			out: expect.stringMatching(/^SERVER .*\nintranet /),
		});
		expect(await bulkhead("--help")).toMatchObject({
			code: 0,
			err: "",
			out: expect.stringContaining("Exit codes:"),
		});
		expect(await bulkhead("--version")).toMatchObject({
			code: 0,
			out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
		});
	});

	it("1: failed, in a line that says what to do", async () => {
		const state = `${daemon.state}/elsewhere`;
		const { code, out, err } = await bulkhead("list", "--state", state);
		expect({ code, out }).toEqual({ code: 1, out: "" });
		expect(err).toMatch(/^bulkhead: the daemon is not running .*`bulkhead daemon`.*\n$/);
		const { out: json } = await bulkhead("list", "--json", "--state", state);
		expect(JSON.parse(json)).toEqual({
			error: { code: "host-lacks", message: err.slice(10).trimEnd(), problems: [] },
		});
	});

	it("2: wrong use, with the nearest right one", async () => {
		const { code, out, err } = await bulkhead("lst");
		expect({ code, out }).toEqual({ code: 2, out: "" });
		expect(err).toBe("bulkhead: unknown command 'lst'\n(Did you mean list?)\nSee `bulkhead --help`.\n");
		expect(await bulkhead("show")).toMatchObject({
			code: 2,
			err: expect.stringContaining("`bulkhead show --help`"),
		});
		expect(await bulkhead()).toMatchObject({ code: 2 });
		const { out: json } = await bulkhead("list", "--jsn", "--json");
		expect(JSON.parse(json).error).toMatchObject({
			code: "bad-input",
			message: expect.stringContaining("--jsn"),
		});
	});

	it.each([
		["SIGINT", 130],
		["SIGHUP", 129],
		["SIGTERM", 143],
	] as const)("interrupted by %s: %i", async (signal, expected) => {
		const asked = Promise.withResolvers<void>();
		daemon.answers.show = () => {
			asked.resolve();
			return sampleServer({ state: "starting" });
		};
		daemon.answers.start = () => sampleServer({ state: "starting" });
		const child = start(["start", "intranet"]);
		await asked.promise;
		child.kill(signal);
		const [err, code] = await Promise.all([text(child.stderr), exitOf(child)]);
		expect({ err, code }).toEqual({ err: "bulkhead: interrupted\n", code: expected });
	});

	it("a second signal ends what the first cannot", async () => {
		const fifo = join(daemon.state, "fifo");
		spawnSync("mkfifo", [fifo]);
		const child = start(["apply", fifo]);
		// It reads from here on, and nothing comes: that cannot be broken off.
		const writer = await vi.waitUntil(() => writerOf(fifo), { timeout: 20_000 });
		const again = setInterval(() => child.kill("SIGTERM"), 100);
		await exitOf(child);
		clearInterval(again);
		closeSync(writer);
		expect(child.signalCode).toBe("SIGTERM");
	});

	it("0: nobody reads an answer that is finished, as with `head`", async () => {
		expect(await withoutReader("list")).toEqual({ err: "", code: 0 });
	});

	it("141: nobody reads what it is about to do, and it is not done", async () => {
		daemon.answers.plan = () => ({ ...samplePlan, destructive: false });
		const applied: string[] = [];
		daemon.raw = async (request, response) => {
			if (request.url !== streams.apply) return false;
			// As the daemon does: it goes on until its client goes away.
			await new Promise((resolve) => response.once("close", resolve));
			applied.push(response.writableFinished ? "done" : "broken off");
			return true;
		};
		const file = join(daemon.state, "site.yaml");
		await writeFile(file, "name: office\n");
		expect(await withoutReader("apply", file)).toEqual({
			err: "bulkhead: interrupted: nobody reads its output any more\n",
			code: 141,
		});
		expect(applied).not.toContain("done");
	});

	it("1: its output cannot be written", async () => {
		const full = openSync("/dev/full", "w");
		const child = spawn(launcher, ["list", "--state", daemon.state], { stdio: ["ignore", full, "pipe"] });
		const [err, code] = await Promise.all([text(child.stderr as Readable), exitOf(child)]);
		closeSync(full);
		expect(code).toBe(1);
		expect(err).toMatch(/^bulkhead: its output cannot be written: ENOSPC.*\n$/);
	});

	it("0: nobody reads what is said beside the answer", async () => {
		const [site, password] = [join(daemon.state, "new.yaml"), join(daemon.state, "password")];
		await writeFile(password, "S0mmer&Regen\n", { mode: 0o600 });
		// What cannot be asked of the daemon is told, and it goes on.
		daemon.answers.windowsIso = () => {
			throw new BulkheadError("bad-input", "it is no Windows installation medium");
		};
		const args = ["--site-file", site, "--yes", "--iso", "/srv/win.iso", "--guest", "windows-server-2022"];
		args.push("--edition", "1", "--language", "de-DE", "--drivers", "none", "--password-file", password);
		const child = start(["create", "windows-server", "w", ...args]);
		child.stderr.destroy();
		const [out, code] = await Promise.all([text(child.stdout), exitOf(child)]);
		expect({ code, out }).toEqual({ code: 0, out: expect.stringContaining("To install it") });
	});

	it("130: interrupted at the question for a password, on a real terminal, where Ctrl-C is a key", async () => {
		const line = `${launcher} --state ${daemon.state} domain join ad.example.com --controller 10.0.0.1`;
		const child = spawn("script", ["--quiet", "--return", "--command", line, "/dev/null"]);
		let said = "";
		const exited = new Promise((resolve) => child.once("exit", resolve));
		child.stdout.on("data", (chunk) => {
			said += String(chunk);
			if (said.endsWith("Password of Administrator: ")) child.stdin.write("\u0003");
		});
		expect(await exited).toBe(130);
		expect(said).toContain("interrupted");
	});
});

it("keeps what was compiled for the next command", { timeout: 30_000 }, async () => {
	const kept = fileURLToPath(new URL("../../node_modules/.cache/bulkhead", import.meta.url));
	await rm(kept, { recursive: true, force: true });
	expect(await bulkhead("list")).toMatchObject({ code: 0 });
	const [folder = ""] = await readdir(kept);
	expect((await readdir(join(kept, folder))).length).toBeGreaterThan(10);
});
