import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sampleServer } from "../client/samples.ts";
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

async function bulkhead(...args: string[]) {
	const child = start(args);
	const [out, err, code] = await Promise.all([
		text(child.stdout),
		text(child.stderr),
		new Promise((resolve) => child.once("exit", resolve)),
	]);
	return { out, err, code };
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

	it("130: interrupted", async () => {
		const asked = Promise.withResolvers<void>();
		daemon.answers.show = () => {
			asked.resolve();
			return sampleServer({ state: "starting" });
		};
		daemon.answers.start = () => sampleServer({ state: "starting" });
		const child = start(["start", "intranet"]);
		await asked.promise;
		child.kill("SIGINT");
		const [err, code] = await Promise.all([
			text(child.stderr),
			new Promise((resolve) => child.once("exit", resolve)),
		]);
		expect({ err, code }).toEqual({ err: "bulkhead: interrupted\n", code: 130 });
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
