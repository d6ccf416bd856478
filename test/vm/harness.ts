import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { stripVTControlCharacters } from "node:util";
import { afterAll, afterEach, beforeAll, vi } from "vitest";
import type { Event } from "../../src/api/event.ts";
import type { Incident } from "../../src/api/incident.ts";
import { socketPath } from "../../src/api/routes.ts";
import type { ServerState, ServerView, SessionView } from "../../src/api/server.ts";
import type { ServerDefinition, Site } from "../../src/api/site.ts";
import { Client } from "../../src/client/http.ts";
import { ControlGroup, detectGroupSupport, listGroups } from "../../src/host/cgroup.ts";
import { run } from "../../src/host/command.ts";
import { listIfThere } from "../../src/host/files.ts";
import { type Answer, clientFor } from "../../src/network/testing/client.ts";
import { instanceTag, paths as pathsOf } from "../../src/store/paths.ts";
import { ensureBuilt } from "../../src/templates/build.ts";
import { readTemplate } from "../../src/templates/catalogue.ts";

/**
 * Deadlines are for machines that are slow and busy: they say that something hangs, never that it is slow. On two
 * processors at half the usual speed, with another file's guests beside it, a Debian was not ready and sealed within 90 s.
 */
export const patience = { answer: 30_000, state: 150_000, build: 600_000, test: 360_000 } as const;
vi.setConfig({ testTimeout: patience.test, hookTimeout: patience.build + patience.state });

const launcher = join(import.meta.dirname, "../../bin/bulkhead");
const cache = process.env.BULKHEAD_CACHE ?? "/var/cache/bulkhead";
const groups = detectGroupSupport();
const folderPrefix = "/tmp/bhvm-";
let foldersMade = 0;
const portsTaken = new Set<number>();

/** What became of a command: `bulkhead …` run to its end. */
export interface CommandResult {
	code: number | null;
	stdout: string;
	stderr: string;
}

/**
 * A daemon of its own, in a process of its own, with everything that it starts.
 *
 * INVARIANTS
 * - Whatever a test does, nothing is left behind: what runs is found by the instance's control groups, its namespaces
 *   by their names. What the daemon itself should have taken away and did not is reported as a failure.
 */
export class Instance {
	readonly state: string;
	readonly client: Client;
	readonly log: string;
	private daemon: ChildProcess | undefined;
	private readonly host: string | undefined;
	/** A process whose files are to be the host's: the daemon begins among them. */
	files: number | undefined;

	/**
	 * @param state its state directory; a fresh one below /tmp when left out
	 * @param host a network namespace that is to be the host's network; the real one when left out
	 */
	constructor(state = `${folderPrefix}${process.pid}-${++foldersMade}`, host?: string) {
		this.state = state;
		this.host = host;
		this.client = new Client(socketPath(state));
		this.log = `${state}.log`;
	}

	get tag(): string {
		return instanceTag(this.state);
	}

	get paths() {
		return pathsOf(this.state, cache);
	}

	get pid(): number | undefined {
		return this.daemon?.pid;
	}

	/** The instance's control group, or one inside it. */
	group(name?: string): ControlGroup {
		return ControlGroup.at(name ? `bulkhead-${this.tag}/${name}` : `bulkhead-${this.tag}`, groups);
	}

	namespaceOf(site: string): string {
		return `bh-${this.tag}-${site}`;
	}

	// ---- the daemon

	async startDaemon(): Promise<void> {
		await mkdir(this.state, { recursive: true });
		const log = openSync(this.log, "a");
		const files = this.files === undefined ? [] : [`--mount=/proc/${this.files}/ns/mnt`];
		const enter = this.host === undefined ? [] : ["nsenter", `--net=/run/netns/${this.host}`, ...files, "--"];
		const [file = "", ...args] = [...enter, launcher, "daemon"];
		const daemon = spawn(file, args, { stdio: ["ignore", log, log], env: this.environment() });
		closeSync(log);
		this.daemon = daemon;
		const answers = async () => {
			if (daemon.exitCode !== null || daemon.signalCode !== null) {
				throw new Error(`the daemon ended with ${daemon.exitCode ?? daemon.signalCode}`);
			}
			const status = await this.client.call("status", {}, null, { deadlineMs: 5000 }).catch(() => undefined);
			return status?.pid === daemon.pid;
		};
		await until("the daemon answering", answers, patience.answer);
	}

	/** Ends the daemon, and waits until it is gone. */
	async endDaemon(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
		const { daemon } = this;
		this.daemon = undefined;
		if (!daemon || daemon.exitCode !== null || daemon.signalCode !== null) return;
		const gone = once(daemon, "exit", { signal: AbortSignal.timeout(patience.answer) });
		daemon.kill(signal);
		await gone;
	}

	/** Runs a command of the real program. */
	async command(...args: string[]): Promise<CommandResult> {
		const child = spawn(launcher, args, {
			stdio: ["ignore", "pipe", "pipe"],
			env: this.environment(),
			timeout: patience.build,
		});
		const text = { stdout: "", stderr: "" };
		for (const name of ["stdout", "stderr"] as const) {
			child[name].setEncoding("utf8").on("data", (chunk: string) => {
				text[name] += chunk;
			});
		}
		const [code] = (await once(child, "close")) as [number | null];
		return {
			code,
			stdout: stripVTControlCharacters(text.stdout),
			stderr: stripVTControlCharacters(text.stderr),
		};
	}

	private environment(): NodeJS.ProcessEnv {
		return { ...process.env, BULKHEAD_STATE: this.state, BULKHEAD_CACHE: cache, NO_COLOR: "1" };
	}

	// ---- the site

	/** Applies a site, whatever it destroys. */
	async apply(site: Site): Promise<void> {
		const text = JSON.stringify(site);
		const plan = await this.client.call("plan", {}, { text });
		const signal = AbortSignal.timeout(patience.build);
		await this.client.apply({ text, fingerprint: plan.fingerprint, confirmed: true }, () => {}, signal);
	}

	async show(server: string): Promise<ServerView> {
		return await this.client.call("show", { server }, null);
	}

	/** Waits until a server is in a state. @returns it, as it is then */
	async until(
		server: string,
		state: ServerState,
		also: (view: ServerView) => boolean = () => true,
		deadlineMs: number = patience.state,
	): Promise<ServerView> {
		let view: ServerView | undefined;
		const reached = async () => {
			view = await this.show(server);
			return view.state === state && also(view);
		};
		await until(
			`${server} ${state}`,
			reached,
			deadlineMs,
			() => `it is ${view?.state}: ${view?.reason} (session ${view?.session?.number})`,
		);
		return view as ServerView;
	}

	/** Waits until a later session than `before` runs. @returns it */
	async untilNext(server: string, before: number): Promise<SessionView> {
		const view = await this.until(server, "running", ({ session }) => (session?.number ?? 0) > before);
		return view.session as SessionView;
	}

	/** @returns the session that runs now */
	async session(server: string): Promise<SessionView> {
		const { session, state } = await this.show(server);
		if (!session) throw new Error(`${server} has no session; it is ${state}`);
		return session;
	}

	/** Waits until a session's incident is over, and all that belongs to it is written. */
	async incident(id: string): Promise<Incident> {
		let incident: Incident | undefined;
		const over = async () => {
			incident = await this.client.call("incident", { incident: id }, null).catch(() => undefined);
			return incident !== undefined && incident.outcome !== "recovering" && incident.felt !== null;
		};
		await until(`incident ${id} closed`, over, patience.state, () => JSON.stringify(incident));
		return incident as Incident;
	}

	async incidents(server: string): Promise<Incident[]> {
		return (await this.client.call("incidents", {}, null)).filter((incident) => incident.server === server);
	}

	async events(): Promise<Event[]> {
		return await this.client.call("events", {}, null);
	}

	/**
	 * Types a line into the server's serial console.
	 * @returns what it wrote; undefined when the console closed or nothing ended it (the guest went down)
	 */
	async type(server: string, line: string, deadlineMs = 60_000): Promise<string | undefined> {
		const stream = await this.client.console(server);
		let said = "";
		stream.setEncoding("utf8").on("data", (chunk: string) => {
			said += chunk;
		});
		stream.on("error", () => {});
		try {
			// The typed line comes back as an echo; only the shell makes digits of `$?`.
			const done = () => /\bDONE-\d+/.test(said) || stream.destroyed;
			const prompted = () => /# $/.test(stripVTControlCharacters(said)) || poke(stream);
			await until("the guest's shell", prompted, deadlineMs, () => JSON.stringify(said.slice(-200)));
			said = "";
			stream.write(`${line}; echo DONE-$?\n`);
			await until(`the end of: ${line}`, done, deadlineMs).catch(() => {});
			return /\bDONE-\d+/.test(said) ? said : undefined;
		} finally {
			stream.destroy();
		}
	}

	// ---- the end

	/**
	 * Takes everything away, through the daemon when one answers, else by force.
	 * @returns what was still there after the daemon had been told to take everything away; nothing when all is well
	 */
	async dispose(): Promise<string[]> {
		const asked = await this.askToEnd().then(
			() => [],
			(error: unknown) => [`the daemon could not take everything away: ${String(error)}`],
		);
		await this.endDaemon("SIGTERM").catch(async () => await this.endDaemon("SIGKILL"));
		const left = [...asked, ...(await this.leftovers())];
		await this.takeAway();
		await rm(this.state, { recursive: true, force: true });
		return left;
	}

	private async askToEnd(): Promise<void> {
		if (!this.daemon) await this.startDaemon();
		const { site } = await this.client.call("status", {}, null);
		for (const { name, state } of await this.client.call("list", {}, null)) {
			if (state === "stopped" || state === "failed") continue;
			await this.client.call("stop", { server: name }, { deadlineMs: 0 }).catch(() => {});
		}
		for (const { name } of await this.client.call("list", {}, null)) {
			await until(
				`${name} stopped`,
				async () => ["stopped", "failed"].includes((await this.show(name)).state),
				30_000,
			);
			await this.client.call("delete", { server: name }, { destroyDisks: true });
		}
		await this.apply({ name: site ?? "empty" });
	}

	/** Taps live in namespaces, and a namespace lives as long as its name or a process in it: both are looked for. */
	async leftovers(): Promise<string[]> {
		const left = [];
		const pids = await this.processes();
		for (const pid of pids) left.push(`process ${pid}: ${await commandOf(pid)}`);
		for (const name of await this.groupNames()) left.push(`control group ${name}`);
		for (const folder of this.group().folders) {
			if (await isThere(folder)) left.push(`control group folder ${folder}`);
		}
		for (const name of await this.namespaces()) left.push(`namespace ${name}`);
		if (await isThere(this.paths.run)) left.push(`${this.paths.run}: ${await listIfThere(this.paths.run)}`);
		for (const name of await listIfThere(this.paths.servers)) left.push(`files of server ${name}`);
		return left;
	}

	/** Pids of everything that runs for this instance but the daemon, also of what has left its control group. */
	async processes(): Promise<number[]> {
		const found = [];
		for (const name of await readdir("/proc")) {
			if (!/^\d+$/.test(name)) continue;
			const [cgroup, command] = await Promise.all(
				["cgroup", "cmdline"].map((file) => readFile(`/proc/${name}/${file}`, "utf8").catch(() => "")),
			);
			const ours =
				cgroup?.includes(`/bulkhead-${this.tag}/`) ||
				command?.includes(`${this.state}/`) ||
				command?.includes(`/run/bulkhead-${this.tag}/`);
			if (ours) found.push(Number(name));
		}
		return found;
	}

	/** Names of the control groups of its sessions and front doors. */
	async groupNames(): Promise<string[]> {
		return await listGroups(`bulkhead-${this.tag}`, groups);
	}

	/** Whether anything of a session is left that could run. */
	async groupIsThere(server: string, session: number): Promise<boolean> {
		return (await this.groupNames()).includes(`session.${server}-${session}`);
	}

	/** A session's share of the processors, 100 being the kernel's own default; undefined where the host has no such controller. */
	async shareOf(server: string, session: number): Promise<number | undefined> {
		const { cpu } = groups;
		if (!cpu) return undefined;
		const folder = join(cpu.root, `bulkhead-${this.tag}/session.${server}-${session}`);
		const read = async (file: string) => Number(await readFile(join(folder, file), "utf8"));
		if ((await read("cpu.idle").catch(() => 0)) === 1) return 0;
		return cpu.version === 2 ? await read("cpu.weight") : Math.round((await read("cpu.shares")) / 10.24);
	}

	/** Names of the instance's network namespaces. */
	async namespaces(): Promise<string[]> {
		return (await listIfThere("/run/netns")).filter((name) => name.startsWith(`bh-${this.tag}-`));
	}

	/** By force. */
	async takeAway(): Promise<void> {
		for (const name of await this.groupNames()) await this.group(name).destroy();
		await this.group().destroy();
		// A membership of a domain that was not ended.
		for (const name of ["domain-names", "domain-shares", "domain"])
			await ControlGroup.at(`bulkhead-${this.tag}-${name}`, groups).destroy();
		for (const name of await this.namespaces()) {
			await run("ip", ["netns", "del", name], { deadlineMs: 10_000 }).catch(() => {});
		}
		await rm(this.paths.run, { recursive: true, force: true });
	}
}

/** Written on each look until the prompt is there: a shell that was just started loses what was typed before. */
function poke(stream: { write(text: string): unknown }): false {
	stream.write("\n");
	return false;
}

/**
 * An instance for the tests of a file: started before them, taken away after them. When one fails, its log is printed.
 * @param afterwards puts away what it needed, also when something of it is left: hooks after one that fails are not called
 */
export function instanceForTests(
	state?: string,
	host?: string,
	afterwards: () => Promise<void> = async () => {},
): Instance {
	const instance = new Instance(state, host);
	let failed = false;
	beforeAll(async () => {
		await sweep();
		// A host that is a namespace reaches nobody who has Debian's packages.
		if (host !== undefined) await ensureBuilt(await readTemplate("tiny"), { cache, onStep: () => {} });
		await instance.startDaemon();
	});
	afterEach(({ task }) => {
		failed ||= task.result?.state === "fail";
	});
	afterAll(async () => {
		const left = await instance.dispose().finally(afterwards);
		if (failed || left.length > 0)
			console.error(`--- log of the daemon\n${await readFile(instance.log, "utf8")}`);
		await rm(instance.log, { force: true });
		if (left.length > 0) throw new Error(`left behind:\n${left.join("\n")}`);
	});
	return instance;
}

/** What an earlier run left that was killed itself; its folders have its process id in their names. */
async function sweep(): Promise<void> {
	for (const name of await readdir("/tmp")) {
		const [, what, pid] = /^bhvm-(?:([a-z]+)-)?(\d+)(?:-\d+)?$/.exec(name) ?? [];
		if (pid === undefined || (await isThere(`/proc/${pid}`))) continue;
		const folder = `/tmp/${name}`;
		const old = new Instance(what === "small" ? `${folder}/state` : folder);
		for (const process of await daemonsOf(old.state)) kill(process);
		await old.takeAway();
		if (what === "small") await run("umount", [folder], { deadlineMs: 10_000 }).catch(() => {});
		await rm(folder, { recursive: true, force: true });
		await rm(old.log, { force: true });
	}
}

/** @returns the pids of daemons that work on a state directory */
async function daemonsOf(state: string): Promise<number[]> {
	const found = [];
	for (const name of await readdir("/proc")) {
		const [environment, command] = await Promise.all(
			["environ", "cmdline"].map((file) => readFile(`/proc/${name}/${file}`, "utf8").catch(() => "")),
		);
		const ours = environment?.split("\0").includes(`BULKHEAD_STATE=${state}`);
		if (ours && command?.includes("daemon/main.ts")) found.push(Number(name));
	}
	return found;
}

function kill(pid: number): void {
	try {
		process.kill(pid, "SIGKILL");
	} catch {
		// It has ended by itself.
	}
}

async function isThere(path: string): Promise<boolean> {
	return await readdir(path).then(
		() => true,
		() => false,
	);
}

async function commandOf(pid: number): Promise<string> {
	const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "(gone)");
	return command.replaceAll("\0", " ").slice(0, 160);
}

// ---- small things for tests

/** Waits for a condition. @throws Error with what was waited for, and `found` at that moment */
export async function until(
	what: string,
	condition: () => Promise<boolean> | boolean,
	deadlineMs: number,
	found?: () => string,
): Promise<void> {
	const end = performance.now() + deadlineMs;
	while (!(await condition())) {
		if (performance.now() > end) {
			throw new Error(`not within ${deadlineMs / 1000} s: ${what}${found ? `; ${found()}` : ""}`);
		}
		await delay(100);
	}
}

/** A port of 127.0.0.1 that nothing listens on, from 20000 up: below what the kernel hands out by itself. */
export async function freePort(): Promise<number> {
	for (;;) {
		const port = 20_000 + Math.floor(Math.random() * 10_000);
		if (portsTaken.has(port)) continue;
		portsTaken.add(port);
		const server = createServer();
		const free = await new Promise<boolean>((resolve) => {
			server.once("error", () => resolve(false));
			server.listen(port, "127.0.0.1", () => resolve(true));
		});
		if (!free) continue;
		server.close();
		return port;
	}
}

/** A server made from the template tiny that publishes HTTP on a port of the host. */
export function tiny(address: string, listen: number, more: ServerDefinition = {}): ServerDefinition {
	return {
		template: "tiny",
		network: { segment: "lab", address },
		publish: [{ service: "http", to: "host", listen }],
		...more,
	};
}

export async function get(port: number, path = "/"): Promise<Answer> {
	return await clientFor(port).request("GET", path);
}

/** The text that a GET is answered with. @throws Error when that is no 200 */
export async function text(port: number, path = "/"): Promise<string> {
	const { status, body } = await get(port, path);
	if (status !== 200) throw new Error(`GET ${path} was answered with ${status}: ${body}`);
	return body.trim();
}

/**
 * Makes the guest's own kernel panic, from inside. By POST: a GET that is cut off is sent again to the next session,
 * which would then panic as well.
 */
export async function panic(port: number): Promise<void> {
	await clientFor(port)
		.request("POST", "/cgi-bin/panic")
		.catch(() => {});
}

export interface Load {
	requests: number;
	failures: string[];
	/** The longest that one request took, milliseconds. */
	longestMs: number;
	medianMs: number;
}

/** Asks for a page at an even rate, whatever the answers do, until told to stop; every request on a connection of its own. */
export class SteadyClient {
	private readonly port: number;
	/** How long each request took, milliseconds. */
	private readonly took: number[] = [];
	private readonly failures: string[] = [];
	private readonly underWay = new Set<Promise<void>>();
	private readonly timer: NodeJS.Timeout;

	constructor(port: number, everyMs = 50) {
		this.port = port;
		this.timer = setInterval(() => this.ask(), everyMs);
	}

	/** Stops asking, and waits for the answers that are still to come. */
	async stop(): Promise<Load> {
		clearInterval(this.timer);
		await Promise.all(this.underWay);
		const took = this.took.toSorted((a, b) => a - b);
		return {
			requests: took.length,
			failures: this.failures,
			longestMs: Math.round(took.at(-1) ?? 0),
			medianMs: Math.round(took[Math.floor(took.length / 2)] ?? 0),
		};
	}

	private ask(): void {
		const work = this.one().finally(() => this.underWay.delete(work));
		this.underWay.add(work);
	}

	private async one(): Promise<void> {
		const began = performance.now();
		const problem = await get(this.port).then(
			({ status }) => (status === 200 ? undefined : `status ${status}`),
			(error: unknown) => String(error),
		);
		this.took.push(performance.now() - began);
		if (problem) this.failures.push(`${new Date().toISOString()} ${problem}`);
	}
}

/** Prints what was measured as one line of JSON. */
export function report(what: string, figures: object): void {
	console.log(JSON.stringify({ what, ...figures }));
}
