import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { sampleServer } from "../client/samples.ts";
import { StandIn } from "../client/stand-in.ts";
import { runHere } from "./harness.ts";
import { Interrupted } from "./interrupted.ts";

let daemon: StandIn;
let folder: string;
let passwordFile: string;

beforeEach(async () => {
	daemon = await StandIn.start();
	folder = await mkdtemp(join(tmpdir(), "bulkhead-"));
	passwordFile = join(folder, "password");
	await writeFile(passwordFile, "Passw0rd-Adm1n\n");
});
afterEach(async () => {
	await daemon[Symbol.asyncDispose]();
	await rm(folder, { recursive: true, force: true });
});

const bulkhead = (line: string, typed?: string) =>
	runHere(line.split(" "), {
		...{ state: daemon.state, environment: { NO_COLOR: "1" } },
		...(typed === undefined ? {} : { typed }),
	});

describe("check and replication", () => {
	const lines = ["Checking 300 objects", "ERROR: missing backlink", "Checked 300 objects (1 errors)"];

	it("tell what was found, and end with 1", async () => {
		daemon.answers.administerDomain = ({ server }) => ({ server, names: [], findings: { ok: false, lines } });
		expect(await bulkhead("domain check --on dc1")).toEqual({
			code: 1,
			out: `${lines.join("\n")}\n`,
			err: "bulkhead: dc1: the directory has errors\n",
		});
		expect((await bulkhead("domain replication --on dc1")).err).toBe(
			"bulkhead: dc1: something did not replicate\n",
		);
		const { code, out, err } = await bulkhead("domain check --on dc1 --json");
		expect({ code, err }).toEqual({ code: 1, err: "" });
		expect(JSON.parse(out)).toEqual({ server: "dc1", ok: false, lines });
	});

	it("end with 0 when nothing was", async () => {
		const findings = { ok: true, lines: ["[ALL GOOD]"] };
		daemon.answers.administerDomain = ({ server }) => ({ server, names: [], findings });
		const said = await bulkhead("domain replication --on dc1");
		expect(said).toEqual({ code: 0, out: "[ALL GOOD]\n", err: "" });
	});
});

describe("wrong use of a command within a command", () => {
	it.each([
		["domain join", "required option '--controller <address...>' not specified", "bulkhead domain join"],
		["domain user add", "missing required argument 'user'", "bulkhead domain user add"],
		["domain user frob", "unknown command 'frob'", "bulkhead domain user"],
		["domain user list --on", "argument missing", "bulkhead domain user list"],
		["domain share add docs", "missing required argument 'path'", "bulkhead domain share add"],
	])("%s", async (line, message, name) => {
		const { code, out, err } = await bulkhead(line);
		expect({ code, out }).toEqual({ code: 2, out: "" });
		expect(err).toMatch(/^bulkhead: /);
		expect(err).toContain(message);
		expect(err).toContain(`See \`${name} --help\`.\n`);
		const json = await bulkhead(`${line} --json`);
		expect(json).toMatchObject({ code: 2, err: "" });
		// `--on` takes what follows for its value, whatever that is.
		if (!line.endsWith("--on"))
			expect(JSON.parse(json.out).error).toMatchObject({
				code: "bad-input",
				message: expect.stringContaining(message),
			});
	});

	it("is also none of them", async () => {
		const { code, err } = await bulkhead("domain user");
		expect(code).toBe(2);
		expect(err).toContain("Usage: bulkhead domain user");
		const { out } = await bulkhead("domain user --json");
		expect(JSON.parse(out).error).toMatchObject({
			code: "bad-input",
			message: "no command is given; see --help",
		});
	});

	it("is no reason to fail for whoever asks for help", async () => {
		expect(await bulkhead("domain user add --help")).toMatchObject({
			code: 0,
			out: expect.stringContaining("Usage: bulkhead domain user add"),
		});
	});
});

describe("at the question for a password", () => {
	const join = "domain join ad.example.com --controller 10.0.0.1";

	it.each([join, "domain user add alice --on dc1"])("Ctrl-C is no answer: %s", async (line) => {
		const { code, err } = await bulkhead(line, "\u0003");
		expect(code).toBe(130);
		expect(err).toMatch(/^Password of \w+: \nbulkhead: interrupted\n$/);
		expect(daemon.seen).toEqual([]);
	});

	it("nor is the end of the input", async () => {
		const { code, err } = await bulkhead(join, "\u0004");
		expect(code).toBe(1);
		expect(err).toBe(
			"Password of Administrator: \nbulkhead: the input ended before there was an answer; nothing was changed\n",
		);
		expect(daemon.seen).toEqual([]);
	});
});

describe("who presses Ctrl-C while the daemon works", () => {
	/** Presses it as soon as the daemon was asked. */
	async function interrupted(line: string) {
		const interrupt = new AbortController();
		daemon.raw = (request) => {
			if (request.method !== "GET") interrupt.abort(new Interrupted());
			return true;
		};
		return await runHere(line.split(" "), { state: daemon.state, signal: interrupt.signal });
	}
	const goesOn = (see: string) => `bulkhead: interrupted; the daemon goes on with it; see: ${see}\n`;

	it.each([
		["domain join ad.example.com --controller 10.0.0.1 --password-file PASSWORD", "bulkhead domain status"],
		["domain leave", "bulkhead domain status"],
		["domain create dc1 --realm ad.example.com --password-file PASSWORD", "bulkhead show dc1"],
		["domain use dc1 --realm ad.example.com", "bulkhead show dc1"],
		["domain user add alice --on dc1 --password-file PASSWORD", "bulkhead domain user list"],
		["domain group create staff --on dc1", "bulkhead domain group list"],
		["domain share add docs /srv/docs", "bulkhead domain share list"],
		["domain share remove docs", "bulkhead domain share list"],
	])("is told that it goes on: %s", async (line, see) => {
		const said = await interrupted(line.replace("PASSWORD", passwordFile));
		expect(said).toEqual({ code: 130, out: "", err: goesOn(see) });
	});

	it("is not told so of what changes nothing", async () => {
		expect(await interrupted("domain user list --on dc1")).toMatchObject({ err: "bulkhead: interrupted\n" });
	});

	it("gets that as JSON, too", async () => {
		const { code, out, err } = await interrupted("domain leave --json");
		expect({ code, err }).toEqual({ code: 130, err: "" });
		expect(JSON.parse(out)).toEqual({
			error: {
				code: "interrupted",
				message: "interrupted; the daemon goes on with it; see: bulkhead domain status",
				problems: [],
			},
		});
	});
});

describe("create", () => {
	it.each([
		[["dc1"], "The domain ad.example.com (AD) is made, and dc1 is starting as its controller.\n"],
		[
			["dc1", "dc2"],
			"The domain ad.example.com (AD) is made, and dc1 and dc2 are starting as its controllers.\n",
		],
		[
			["dc2"],
			"The domain ad.example.com (AD) is made, and dc2 is starting as its controller.\ndc1 does not start by itself: bulkhead start dc1\n",
		],
		[
			[],
			"The domain ad.example.com (AD) is made.\ndc1 does not start by itself: bulkhead start dc1\ndc2 does not start by itself: bulkhead start dc2\n",
		],
	])("says which controllers are starting: %j", async (started, words) => {
		const controllers = started.join() === "dc1" ? ["dc1"] : ["dc1", "dc2"];
		daemon.answers.createDomain = (_, { realm, workgroup }) => ({
			...{ controllers, started, realm, workgroup, tookMs: 1 },
		});
		daemon.answers.show = ({ server }) => sampleServer({ name: server, address: "10.77.0.10" });
		const { code, out } = await bulkhead(
			`domain create ${controllers.join(" ")} --realm ad.example.com --password-file ${passwordFile}`,
		);
		expect(code).toBe(0);
		expect(out.startsWith(words)).toBe(true);
	});
});
