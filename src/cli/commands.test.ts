import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { BulkheadError } from "../api/errors.ts";
import { eventView } from "../api/event.ts";
import type { Progress } from "../api/plan.ts";
import type { ServerView } from "../api/server.ts";
import { noon, sampleEvent, sampleIncident, samplePlan, sampleServer } from "../client/samples.ts";
import { StandIn } from "../client/stand-in.ts";
import { runHere } from "./harness.ts";
import { Interrupted } from "./interrupted.ts";

let daemon: StandIn;
let folder: string;

beforeEach(async () => {
	daemon = await StandIn.start();
	folder = await mkdtemp(join(tmpdir(), "bulkhead-"));
});
afterEach(async () => {
	await daemon[Symbol.asyncDispose]();
	await rm(folder, { recursive: true, force: true });
});

const bulkhead = (line: string, typed?: string) =>
	runHere(line.split(" "), { state: daemon.state, ...(typed === undefined ? {} : { typed }) });
/** Writes seen by the daemon. */
const acts = () => daemon.seen.filter((each) => !each.startsWith("GET "));

describe("list", () => {
	it("shows a table", async () => {
		const session = {
			number: 8,
			pid: 1,
			startedAt: Date.now(),
			readyAt: Date.now() - 65_000,
			accelerator: "tcg",
			from: "boot",
		} as const;
		daemon.answers.list = () => [
			sampleServer({ session }),
			sampleServer({
				name: "dc1",
				state: "failed",
				session: null,
				reason: "gave up\u001b[2J after 5 attempts",
				published: [],
			}),
		];
		const { code, out } = await bulkhead("list");
		expect(code).toBe(0);
		expect(out).toBe(
			[
				"SERVER    STATE    SESSION     UP  ADDRESS     PUBLISHED      INCIDENTS  REASON",
				"intranet  running       #8  1 min  10.77.0.20  http lan:8080          1",
				"dc1       failed                   10.77.0.20                         1  gave up after 5 attempts",
				"",
			].join("\n"),
		);
	});

	it("puts the reasons under the table where a line cannot hold them", async () => {
		const reason = "gave up after 5 attempts in 10 min; see bulkhead incidents intranet-7";
		daemon.answers.list = () => [sampleServer({ session: null, state: "failed", reason })];
		const { out } = await runHere(["list"], {
			state: daemon.state,
			typed: "",
			environment: { NO_COLOR: "1" },
		});
		expect(out.split("\n")).toEqual([
			"SERVER    STATE   SESSION  UP  ADDRESS     PUBLISHED      INCIDENTS",
			"intranet  failed               10.77.0.20  http lan:8080          1",
			"",
			`intranet: ${reason}`,
			"",
		]);
	});

	it("says what to do when there is nothing, and answers in JSON", async () => {
		daemon.answers.list = () => [];
		expect((await bulkhead("list")).out).toMatch(/No servers yet.*bulkhead apply/);
		daemon.answers.list = () => [sampleServer()];
		expect(JSON.parse((await bulkhead("list --json")).out)).toEqual([sampleServer()]);
		expect(JSON.parse((await bulkhead("--json list")).out)).toEqual([sampleServer()]);
	});
});

describe("show and status", () => {
	it("show everything", async () => {
		daemon.answers.show = () => sampleServer({ restartNeeded: true, maintenance: true, after: ["dc1"] });
		const { out } = await bulkhead("show intranet");
		expect(out).toContain("Comes after  dc1\n");
		expect(out).toContain("Recovery     cold, at most 5 attempts in 10 min");
		expect(out).toContain("`bulkhead restart intranet`");
		expect(out).toContain("`bulkhead maintenance off intranet`");
		daemon.answers.status = () => ({
			version: "0.1.0",
			pid: 5,
			startedAt: noon,
			state: "/s",
			changing: false,
			site: null,
			accelerator: "tcg",
			from: "boot",
		});
		expect((await bulkhead("status")).out).toMatch(/Bulkhead 0\.1\.0, process 5/);
	});
});

describe("start, stop and restart", () => {
	it("wait until the server has got there, across a daemon that is replaced", async () => {
		const views = [
			sampleServer({ state: "starting" }),
			sampleServer({ state: "recovering" }),
			sampleServer(),
		];
		daemon.answers.start = () => sampleServer({ state: "starting" });
		daemon.answers.show = async () => {
			const view = views.shift() ?? sampleServer();
			if (view.state === "recovering") {
				await daemon.stop();
				setTimeout(() => daemon.listen(), 300);
			}
			return view;
		};
		const { code, out } = await bulkhead("start intranet");
		expect(out).toBe("intranet is running in session 8, ready after 9.40 s.\n");
		expect(code).toBe(0);
	});

	it("fail with the reason", async () => {
		daemon.answers.start = () => sampleServer({ state: "starting" });
		daemon.answers.show = () => sampleServer({ state: "failed", reason: "no boot\u001b[2J within 5 min" });
		expect(await bulkhead("start intranet")).toEqual({
			code: 1,
			out: "",
			err: "bulkhead: intranet failed: no boot within 5 min\n",
		});
		const { out } = await bulkhead("start intranet --json");
		expect(JSON.parse(out).error.code).toBe("guest-did-not-answer");
	});

	it("do not wait when nobody wants to", async () => {
		daemon.answers.start = () => sampleServer({ state: "starting", session: null });
		expect((await bulkhead("start intranet --no-wait")).out).toBe("intranet is starting.\n");
	});

	it("give the server its time", async () => {
		const given: number[] = [];
		daemon.answers.stop = (_, { deadlineMs }) => {
			given.push(deadlineMs);
			return sampleServer({ state: "stopping" });
		};
		daemon.answers.show = () => sampleServer({ state: "stopped", wanted: "stopped", session: null });
		for (const option of ["", " --timeout 2m", " --force"]) {
			expect((await bulkhead(`stop intranet${option}`)).out).toBe("intranet is stopped.\n");
		}
		expect(given).toEqual([60_000, 120_000, 0]);
	});

	it("say why one has not stopped in time", async () => {
		daemon.answers.stop = () => sampleServer({ state: "stopping", wanted: "stopped" });
		const reason = "Windows installs updates, and is let finish; a second stop switches it off";
		daemon.answers.show = () => {
			vi.advanceTimersByTime(60_000);
			return sampleServer({ state: "stopping", wanted: "stopped", reason });
		};
		vi.useFakeTimers({ toFake: ["performance"] });
		const said = await bulkhead("stop intranet").finally(() => vi.useRealTimers());
		expect(said).toMatchObject({
			code: 1,
			err: `bulkhead: waited long enough for intranet to stop: ${reason}; see \`bulkhead show intranet\` and \`bulkhead events\`\n`,
		});
	});

	it("say which servers run on that come after the one that is stopped", async () => {
		daemon.answers.stop = () => sampleServer({ state: "stopping" });
		daemon.answers.show = () => sampleServer({ state: "stopped", wanted: "stopped", session: null });
		daemon.answers.list = () => [
			sampleServer(),
			sampleServer({ name: "mail", after: ["intranet"] }),
			sampleServer({ name: "old", after: ["intranet"], state: "stopped", session: null }),
			sampleServer({ name: "shop", after: ["mail", "intranet"], state: "asleep", session: null }),
		];
		expect((await bulkhead("stop intranet")).out).toBe(
			"intranet is stopped.\nOf the servers that come after it these run on: mail, shop.\n",
		);
	});

	it("know a restarted server by its new session", async () => {
		const numbers = [7, 7, 8];
		daemon.answers.show = () =>
			sampleServer({
				session: {
					number: numbers.shift() ?? 8,
					pid: 1,
					startedAt: 0,
					readyAt: 5,
					accelerator: "tcg",
					from: "boot",
				},
			});
		daemon.answers.restart = () => sampleServer();
		expect((await bulkhead("restart intranet")).out).toContain("in session 8");
		expect(numbers).toEqual([]);
	});
});

describe("delete", () => {
	beforeEach(() => {
		daemon.answers.show = () => sampleServer({ state: "stopped" });
		daemon.answers.delete = ({ server }) => ({ deleted: server });
	});

	it("names what is destroyed and wants a yes", async () => {
		const { code, err } = await bulkhead("delete intranet", "y\n");
		expect(code).toBe(1);
		expect(err).toContain(
			"Destroy the system disk, the data disk files, the incidents with evidence and dumps, the history of traffic of intranet for ever?",
		);
		expect(acts()).toEqual([]);
		expect((await bulkhead("delete intranet", "yes\n")).code).toBe(0);
		expect((await bulkhead("delete intranet --yes --json")).out).toBe('{\n  "deleted": "intranet"\n}\n');
		expect(acts()).toHaveLength(2);
		daemon.answers.show = () =>
			sampleServer({ state: "stopped", recovery: { mode: "warm", attempts: 5, withinMs: 1 } });
		expect((await bulkhead("delete intranet", "no\n")).err).toContain("the seal, the incidents");
	});

	it("says what stays of a controller in its domain, before and after", async () => {
		const domain = {
			realm: "AD.EXAMPLE.COM",
			workgroup: "AD",
			controllers: ["dc1", "dc2"],
			origin: "made" as const,
		};
		const controllers = ["dc1", "dc2"].map((name) => sampleServer({ name, state: "stopped", domain }));
		daemon.answers.show = ({ server }) => controllers.find(({ name }) => name === server) ?? sampleServer();
		daemon.answers.list = () => controllers;
		const left = /dc2 stays a controller of AD\.EXAMPLE\.COM to dc1.*samba-tool domain demote --remove-other/;
		const asked = await bulkhead("delete dc2", "no\n");
		expect(asked.out).toMatch(left);
		expect(asked.err).toContain("of dc2, a controller of AD.EXAMPLE.COM, for ever?");
		expect(acts()).toEqual([]);
		expect((await bulkhead("delete dc2 --yes")).out).toMatch(left);
		expect((await bulkhead("delete dc2 --yes --json")).out).toBe('{\n  "deleted": "dc2"\n}\n');
		daemon.answers.list = () => controllers.slice(1);
		expect((await bulkhead("delete dc2 --yes")).out).not.toContain("stays");
	});

	it("refuses where nobody can be asked, and while it runs", async () => {
		expect(await bulkhead("delete intranet")).toMatchObject({
			code: 1,
			err: expect.stringContaining("--yes"),
		});
		daemon.answers.show = () => sampleServer();
		const { err } = await bulkhead("delete intranet --yes");
		expect(err).toBe("bulkhead: intranet is running; stop it first: bulkhead stop intranet\n");
		expect(acts()).toEqual([]);
	});
});

describe("apply", () => {
	const lines: Progress[] = [
		{ type: "step", subject: "server mail", text: "makes its disk", fraction: 0.5 },
		{ type: "done", subject: "server mail" },
		{ type: "finished", text: "Site office is as site.yaml says." },
	];
	let file: string;
	let applied: unknown;

	beforeEach(async () => {
		file = join(folder, "site.yaml");
		await writeFile(file, "name: office\n");
		applied = undefined;
		daemon.answers.plan = () => samplePlan;
		daemon.raw = (request, response, body) => {
			if (request.url !== "/v1/site/apply") return false;
			applied = JSON.parse(body);
			response.end(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
			return true;
		};
	});

	it("shows the plan, and destroys nothing without a yes", async () => {
		const refused = await bulkhead(`apply ${file}`);
		expect(refused.code).toBe(1);
		expect(refused.out).toContain("DESTROYED FOR EVER: system disk");
		expect(refused.err).toMatch(/^bulkhead: Destroy .* say it with --yes\n$/);
		expect((await bulkhead(`apply ${file}`, "no\n")).code).toBe(1);
		expect((await bulkhead(`apply ${file} --json`)).code).toBe(1);
		expect(applied).toBeUndefined();
	});

	it("does exactly what was shown, and tells of it", async () => {
		const { code, out } = await bulkhead(`apply ${file} --yes`);
		expect(code).toBe(0);
		expect(out).toContain(
			"\nserver mail: makes its disk (50 %)\nserver mail: done\nSite office is as site.yaml says.\n",
		);
		expect(applied).toEqual({ text: "name: office\n", fingerprint: "3f9a", confirmed: true });
		const { out: json } = await bulkhead(`apply ${file} --yes --json`);
		expect(JSON.parse(json)).toEqual({
			plan: samplePlan,
			applied: true,
			text: "Site office is as site.yaml says.",
		});
	});

	it("says that there is nothing to do", async () => {
		daemon.answers.plan = () => ({
			...samplePlan,
			segments: [],
			changes: samplePlan.changes.slice(0, 1),
			destructive: false,
		});
		expect((await bulkhead(`apply ${file}`)).out).toBe(`Nothing to do: site office is as ${file} says.\n`);
		expect(applied).toBeUndefined();
	});

	it("shows where the mistakes are", async () => {
		daemon.answers.plan = () => {
			const problems = [
				{ field: "servers.a.memory", message: "is missing", line: 4, column: 2 },
				{ field: "", message: "is empty\u0007" },
			];
			throw new BulkheadError("bad-input", "the site file has 2 mistakes; nothing was changed", { problems });
		};
		expect((await bulkhead(`apply ${file}`)).err).toBe(
			`bulkhead: the site file has 2 mistakes; nothing was changed\n${file}:4:2: servers.a.memory: is missing\n${file}: is empty\n`,
		);
		expect(JSON.parse((await bulkhead(`apply ${file} --json`)).out).error.problems).toHaveLength(2);
	});

	it("says why it failed half-way", async () => {
		const failed: Progress = { type: "failed", error: { code: "disk-full", message: "no room for mail" } };
		daemon.raw = (_request, response) => {
			if (!_request.url?.endsWith("apply")) return false;
			response.end(`${JSON.stringify(lines[0])}\n${JSON.stringify(failed)}\n`);
			return true;
		};
		const { code, err } = await bulkhead(`apply ${file} --yes`);
		expect({ code, err }).toEqual({ code: 1, err: "bulkhead: no room for mail\n" });
	});

	it("says what is wrong with the file itself", async () => {
		expect((await bulkhead(`apply ${folder}/none.yaml`)).err).toMatch(
			/cannot read .*none.yaml: there is no such file/,
		);
		expect((await bulkhead(`apply ${folder}`)).err).toMatch(/it is a folder/);
		await writeFile(file, Buffer.from([0xff, 0xfe]));
		expect((await bulkhead(`apply ${file}`)).err).toMatch(/not UTF-8/);
		expect((await bulkhead("apply /dev/zero")).err).toMatch(/longer than a million/);
	});
});

describe("incidents", () => {
	it("lists them and tells one", async () => {
		daemon.answers.incidents = () => [
			sampleIncident(),
			sampleIncident({ id: "dc1-1", server: "dc1", felt: null }),
		];
		daemon.answers.incident = ({ incident }) => sampleIncident({ id: incident });
		expect((await bulkhead("incidents")).out.split("\n")).toHaveLength(4);
		expect((await bulkhead("incidents --server dc1")).out.split("\n")).toHaveLength(3);
		expect((await bulkhead("incidents intranet-7")).out).toContain("Incident intranet-7: ");
		expect(JSON.parse((await bulkhead("incidents x-1 --json")).out)).toEqual(sampleIncident({ id: "x-1" }));
	});

	it("name a file of evidence that there is", async () => {
		const { out } = await bulkhead("incidents --help");
		const named = /--evidence (\S+)\n/.exec(out)?.[1];
		const kept = await readFile(new URL("../daemon/parts/session-machine.ts", import.meta.url), "utf8");
		expect(kept).toContain(`"${named}": console`);
	});

	it("gives out evidence: clean to a terminal, as it is to a pipe or a file", async () => {
		const bytes = Buffer.from("boot\u001b[2J\r\npanic");
		daemon.raw = (_request, response) => Boolean(response.end(bytes));
		expect((await bulkhead("incidents a-1 --evidence console.txt", "")).out).toBe("boot\npanic\n");
		expect((await bulkhead("incidents a-1 --evidence console.txt")).out).toBe(String(bytes));
		const { out } = await bulkhead("incidents a-1 --evidence console.txt --json");
		expect(JSON.parse(out)).toEqual({
			incident: "a-1",
			evidence: "console.txt",
			base64: bytes.toString("base64"),
		});
		await bulkhead(`incidents a-1 --evidence console.txt -o ${folder}/c`);
		expect(await readFile(join(folder, "c"))).toEqual(bytes);
		expect((await bulkhead("incidents --evidence console.txt")).code).toBe(2);
		daemon.raw = (_request, response) => Boolean(response.end(Buffer.from([0, 1])));
		expect((await bulkhead("incidents a-1 --evidence m.dump", "")).err).toContain("--output");
	});
});

describe("events", () => {
	it("shows the last ones", async () => {
		daemon.answers.events = () => [
			sampleEvent(1),
			sampleEvent(2, { server: null, session: null }),
			sampleEvent(3, { text: "x\u001b[2Jy" }),
		];
		const { out } = await bulkhead("events --last 2");
		expect(out.split("\n").map((line) => line.slice(25))).toEqual([
			"                state        event 2",
			"intranet#8      state        xy",
			"",
		]);
		expect(JSON.parse((await bulkhead("events --json")).out).map(({ id }: { id: number }) => id)).toEqual([
			1, 2, 3,
		]);
	});

	it("follows, in JSON one a line", async () => {
		daemon.answers.events = () => [sampleEvent(1)];
		const stop = new AbortController();
		daemon.raw = (request, response) => {
			if (request.url !== "/v1/events?after=1") return false;
			for (const id of [2, 3]) response.write(`id: ${id}\ndata: ${JSON.stringify(sampleEvent(id))}\n\n`);
			setTimeout(() => stop.abort(), 50);
			return true;
		};
		const { code, out } = await runHere(["events", "-f", "--json"], {
			state: daemon.state,
			signal: stop.signal,
		});
		expect(code).toBe(0);
		const events = out
			.trim()
			.split("\n")
			.map((line) => eventView.parse(JSON.parse(line)));
		expect(events).toEqual([1, 2, 3].map((id) => sampleEvent(id)));
	});
});

describe("drill", () => {
	beforeEach(() => {
		daemon.answers.events = () => [];
		daemon.answers.drill = () => ({ session: 7, at: noon });
		daemon.answers.incident = () => sampleIncident();
		daemon.raw = (request, response) =>
			request.url?.startsWith("/v1/events?") === true &&
			response.write(`data: ${JSON.stringify(sampleEvent(4, { text: "it panicked" }))}\n\n`) !== undefined;
	});

	it("follows the recovery and tells the incident", async () => {
		const states = [7, 7, 7, 8].map((number) =>
			sampleServer({
				session: { number, pid: 1, startedAt: 0, readyAt: 5, accelerator: "tcg", from: "boot" },
			}),
		);
		daemon.answers.show = () => states.shift() ?? sampleServer();
		const { code, out } = await bulkhead("drill intranet panic");
		expect(code).toBe(0);
		expect(out).toMatch(/it panicked\n[\s\S]*Incident intranet-7/);
		const { out: json } = await bulkhead("drill intranet panic --json");
		expect(JSON.parse(json)).toEqual({
			drill: { session: 7, at: noon },
			server: sampleServer(),
			incident: sampleIncident(),
		});
	});

	it("shows the incident also when the server did not come back", async () => {
		const views = [sampleServer()];
		daemon.answers.show = () => views.shift() ?? sampleServer({ state: "failed", reason: "budget spent" });
		const { code, out, err } = await bulkhead("drill intranet kill");
		expect({ code, err }).toEqual({ code: 1, err: "bulkhead: intranet failed: budget spent\n" });
		expect(out).toContain("Incident intranet-7");
	});

	it("asks a person, and refuses where it would show nothing", async () => {
		daemon.answers.show = () => sampleServer();
		expect((await bulkhead("drill intranet panic", "\n")).err).toContain("not confirmed");
		daemon.answers.show = () => sampleServer({ maintenance: true });
		expect((await bulkhead("drill intranet panic")).err).toContain("bulkhead maintenance off intranet");
		daemon.answers.show = () => sampleServer({ state: "stopped" });
		expect((await bulkhead("drill intranet panic")).code).toBe(1);
		expect(acts()).toEqual([]);
	});
});

describe("screenshot, maintenance and console", () => {
	it("never writes over an earlier picture", async () => {
		daemon.raw = (_request, response) => Boolean(response.end("png"));
		const before = process.cwd();
		process.chdir(folder);
		try {
			await bulkhead("screenshot dc1");
			expect(JSON.parse((await bulkhead("screenshot dc1 --json")).out)).toEqual({
				server: "dc1",
				file: "dc1-2.png",
				bytes: 3,
			});
		} finally {
			process.chdir(before);
		}
		expect(await readdir(folder)).toEqual(["dc1-1.png", "dc1-2.png"]);
	});

	it("suspends judgement", async () => {
		daemon.answers.maintenance = (_, { on }) => sampleServer({ maintenance: on });
		expect((await bulkhead("maintenance on intranet")).out).toContain("not judged until");
		expect((await bulkhead("maintenance off intranet")).out).toContain("judged again");
		expect((await bulkhead("maintenance maybe intranet")).code).toBe(2);
	});

	it("connects a keyboard, and leaves with Ctrl-]", async () => {
		let typed = "";
		daemon.onUpgrade = (_request, stream) => {
			stream.write(
				"HTTP/1.1 101 x\r\nconnection: upgrade\r\nupgrade: bulkhead-console\r\n\r\nlogin: \u001b]0;x\u0007",
			);
			stream.on("data", (bytes) => {
				typed += bytes;
			});
		};
		const { code, out, err } = await bulkhead("console dc1", "root\u0003\u001dlost");
		expect(code).toBe(0);
		expect(err).toMatch(/^\S*Console of dc1\. Ctrl-\] leaves it/);
		expect(err).toContain("Left the console");
		expect(out).not.toContain("\u001b]0");
		await expect.poll(() => typed).toBe("root\u0003");
		expect((await bulkhead("console dc1 --json")).code).toBe(2);
	});
});

describe("keys", () => {
	let pressed: string[];
	beforeEach(() => {
		daemon.answers.keys = ({ server }, { keys }) => {
			pressed = keys;
			return { server, pressed: keys.length };
		};
	});

	it("are typed from a text before those that are named", async () => {
		expect((await bulkhead("keys intranet --text aB ret")).out).toBe("Pressed 3 keys on intranet.\n");
		expect(pressed).toEqual(["a", "shift-b", "ret"]);
	});

	it("are typed from a file, or standard input, which nobody else reads", async () => {
		const file = join(folder, "password");
		await writeFile(file, "aB\nsecond line\n");
		await bulkhead(`keys intranet --text-file ${file} ret`);
		expect(pressed).toEqual(["a", "shift-b", "ret"]);
		const { code } = await runHere(["keys", "intranet", "--text-file", "-"], {
			state: daemon.state,
			piped: "xY\n",
		});
		expect({ code, pressed }).toEqual({ code: 0, pressed: ["x", "shift-y"] });
	});

	it("say what is wrong with such a file", async () => {
		const file = join(folder, "password");
		const said = async () => (await bulkhead(`keys intranet --text-file ${file} ret`)).err;
		expect(await said()).toBe(`bulkhead: --text-file: ${file} cannot be read\n`);
		await writeFile(file, "\n");
		expect(await said()).toBe(`bulkhead: --text-file: ${file} is empty\n`);
		await writeFile(file, "ä\n");
		expect(await said()).toBe('bulkhead: --text-file: a US keyboard has no "ä"\n');
		expect((await bulkhead(`keys intranet --text a --text-file ${file}`)).code).toBe(2);
		expect(acts()).toEqual([]);
	});

	it("are not waited for any more once it is interrupted", async () => {
		const interrupt = new AbortController();
		const waiting = runHere(["keys", "intranet", "--text-file", "-"], {
			state: daemon.state,
			signal: interrupt.signal,
		});
		interrupt.abort(new Interrupted());
		expect(await waiting).toEqual({ code: 130, out: "", err: "bulkhead: interrupted\n" });
	});
});

describe("maintenance commit and abandon", () => {
	let server: ServerView;
	/** What is done to it, in order. */
	let done: string[];
	/** Called when its session is told to stop; it is stopped by then, unless this says something else. */
	let onStop: () => void;

	beforeEach(() => {
		server = sampleServer({ changing: true, maintenance: true, systemDisk: "disposable" });
		done = [];
		onStop = () => {};
		const become = (what: string, changes: Partial<ServerView>) => {
			done.push(what);
			server = { ...server, ...changes };
			return server;
		};
		daemon.answers.show = () => server;
		daemon.answers.stop = () => {
			become("stop", { state: "stopped", wanted: "stopped", session: null });
			onStop();
			return server;
		};
		daemon.answers.changes = (_, { what }) => become(what, { changing: false, maintenance: false });
		daemon.answers.start = () => become("start", { ...sampleServer(), changing: false });
	});

	it("shut it down, and start it again when they are done", async () => {
		expect((await bulkhead("maintenance commit intranet")).out).toBe(
			"The changes of intranet are part of its system disk.\n",
		);
		expect(done).toEqual(["stop", "commit", "start"]);
	});

	it("start it again also when it was not ready yet", async () => {
		server = { ...server, state: "starting" };
		await bulkhead("maintenance commit intranet");
		expect(done).toEqual(["stop", "commit", "start"]);
	});

	it("throw nothing away without a yes", async () => {
		const refused = await bulkhead("maintenance abandon intranet", "no\n");
		expect(refused).toMatchObject({ code: 1, err: expect.stringContaining("Throw away for ever") });
		expect(await bulkhead("maintenance abandon intranet")).toMatchObject({
			code: 1,
			err: expect.stringContaining("say it with --yes"),
		});
		expect(done).toEqual([]);
		expect((await bulkhead("maintenance abandon intranet", "yes\n")).code).toBe(0);
		expect(done).toEqual(["stop", "abandon", "start"]);
	});

	it("say how it is when they are interrupted, and what goes on with it", async () => {
		const interrupt = new AbortController();
		onStop = () => {
			server = { ...server, state: "stopping" };
			interrupt.abort(new Interrupted());
		};
		const setting = { state: daemon.state, signal: interrupt.signal };
		expect(await runHere(["maintenance", "commit", "intranet"], setting)).toEqual({
			code: 130,
			out: "",
			err: "bulkhead: interrupted; intranet is stopping, and its changes are kept; go on with: bulkhead maintenance commit intranet, then bulkhead start intranet\n",
		});
		// Which does not press the button again: whoever does that has it switched off.
		daemon.answers.show = () => {
			const seen = server;
			server = { ...server, state: "stopped" };
			return seen;
		};
		expect((await bulkhead("maintenance commit intranet")).code).toBe(0);
		expect(done).toEqual(["stop", "commit"]);
	});

	it("say it also when they fail, and nothing when it is as it was", async () => {
		daemon.answers.changes = () => {
			throw new BulkheadError("disk-full", "no room for it");
		};
		const { out } = await bulkhead("maintenance commit intranet --json");
		expect(JSON.parse(out).error).toMatchObject({
			code: "disk-full",
			message:
				"no room for it; intranet is stopped, and its changes are kept; go on with: bulkhead maintenance commit intranet, then bulkhead start intranet",
		});
		server = sampleServer({ changing: true });
		daemon.answers.stop = () => {
			throw new BulkheadError("not-allowed-now", "intranet is being exported");
		};
		expect((await bulkhead("maintenance commit intranet")).err).toBe(
			"bulkhead: intranet is being exported\n",
		);
	});

	it("say which step is left when it cannot be started", async () => {
		daemon.answers.start = () => {
			throw new BulkheadError("host-lacks", "no memory");
		};
		expect((await bulkhead("maintenance abandon intranet --yes")).err).toBe(
			"bulkhead: no memory; intranet is stopped, and its changes are done with; go on with: bulkhead start intranet\n",
		);
	});
});

describe("publish and unpublish", () => {
	const at = { listen: 8080, through: "front-door", ports: ["tcp 80"] as string[] } as const;
	const published = { service: "http", protocol: "http", port: 80, to: "lan", ...at } as const;
	const siteFile = { under: "servers.intranet.publish", line: "- { service: http, to: lan, listen: 8080 }" };

	it("say what was done, and what the site file has to say", async () => {
		const asked: unknown[] = [];
		daemon.answers.publish = ({ server }, body) => {
			asked.push(body);
			return { server, published, siteFile };
		};
		daemon.answers.unpublish = daemon.answers.publish as never;
		const done = await bulkhead("publish intranet http --to lan --listen 8080 --hold 30s --health none");
		expect(done).toEqual({
			code: 0,
			out: [
				"intranet publishes http on port 8080 of this host, for everybody who reaches this host.",
				"Add this to servers.intranet.publish in the site file: the next apply without it takes it back.",
				"  - { service: http, to: lan, listen: 8080 }",
				"",
			].join("\n"),
			err: "",
		});
		expect((await bulkhead("unpublish intranet http --listen 8080")).out).toBe(
			[
				"intranet does not publish http on port 8080 of this host any more.",
				"Take this out of servers.intranet.publish in the site file: the next apply with it publishes it again.",
				"  - { service: http, to: lan, listen: 8080 }",
				"",
			].join("\n"),
		);
		expect(asked).toEqual([
			{ service: "http", to: "lan", listen: 8080, hold: "30s", health: "none" },
			{ service: "http", listen: 8080 },
		]);
		const json = await bulkhead("unpublish intranet http --json");
		expect(JSON.parse(json.out)).toEqual({ server: "intranet", published, siteFile });
	});

	it("are refused without a word of for whom, and with a port that is none", async () => {
		expect(await bulkhead("publish intranet http")).toMatchObject({ code: 2 });
		expect(await bulkhead("publish intranet http --to lan --listen 70000")).toMatchObject({ code: 2 });
		expect(acts()).toEqual([]);
	});
});
