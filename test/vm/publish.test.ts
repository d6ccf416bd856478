import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Site } from "../../src/api/site.ts";
import { listIfThere } from "../../src/host/files.ts";
import { freePort, get, instanceForTests, report, SteadyClient, text, tiny, until } from "./harness.ts";

/** Services are let out and taken back while their server, the daemon and everybody else do what they do. */
const bulkhead = instanceForTests();
const { client } = bulkhead;
const server = "t1";
const name = "pub";
let http: number;
let raw: number;
let extra: number;
let site: Site;

/** The service that comes and goes. */
const wanted = (more: { port?: number; protocol?: "http" | "tcp" } = {}) => ({
	...{ service: "extra", to: "host" as const, listen: extra, port: 80, protocol: "tcp" as const },
	...more,
});
const publish = async (more = {}) => await client.call("publish", { server }, wanted(more));
const unpublish = async () => await client.call("unpublish", { server }, { service: "extra" });

/** Everything of front doors that there is, but for the site's own two. */
async function others(): Promise<string[]> {
	const own = [http, raw].map((listen) => `${listen}`);
	const groups = (await bulkhead.groupNames()).filter((group) => /^door\./.test(group));
	const folders = await listIfThere(bulkhead.paths.door(server));
	return [
		...groups.filter((group) => !own.some((listen) => group === `door.${server}.${listen}`)),
		...folders.filter((folder) => !own.includes(folder)),
	];
}

async function accepts(port: number): Promise<boolean> {
	const socket = connect(port, "127.0.0.1");
	// `once` throws when there is an error first.
	return await once(socket, "connect").then(
		() => socket.destroy() === socket,
		() => false,
	);
}

/** Asks for one page after the other on one connection, for as long as it holds. */
class LongConnection {
	answers = 0;
	broken: string | undefined;
	private readonly socket: Socket;
	private readonly running: Promise<void>;
	private over = false;

	constructor(port: number) {
		this.socket = connect(port, "127.0.0.1");
		this.socket.on("error", (error) => this.breaks(error.message));
		this.socket.on("close", () => this.breaks("closed"));
		this.running = this.run().catch((error: unknown) => this.breaks(String(error)));
	}

	/** @returns what broke it, undefined when it held */
	async stop(): Promise<string | undefined> {
		this.over = true;
		await this.running;
		const { broken } = this;
		this.socket.destroy();
		return broken;
	}

	private breaks(why: string): void {
		this.broken ??= why;
	}

	private async run(): Promise<void> {
		await once(this.socket, "connect");
		while (!this.over && this.broken === undefined) {
			this.socket.write("GET / HTTP/1.1\r\nHost: t1\r\n\r\n");
			await this.answer();
			this.answers++;
			await delay(1000);
		}
	}

	private async answer(): Promise<void> {
		let said = "";
		for (;;) {
			const [piece] = await once(this.socket, "data", { signal: AbortSignal.timeout(20_000) });
			said += piece;
			const [head, body] = said.split("\r\n\r\n");
			const length = Number(/^content-length: (\d+)/im.exec(head ?? "")?.[1]);
			if (!/^HTTP\/1\.1 200 /.test(said)) throw new Error(`answered with ${said.slice(0, 60)}`);
			if (body !== undefined && body.length === length) return;
		}
	}
}

beforeAll(async () => {
	[http, raw, extra] = [await freePort(), await freePort(), await freePort()];
	site = {
		name,
		segments: { lab: { subnet: "10.95.0.0/24" } },
		servers: {
			[server]: tiny("10.95.0.10", http, {
				publish: [
					{ service: "http", to: "host", listen: http },
					{ service: "raw", to: "host", listen: raw, port: 80, protocol: "tcp" },
				],
			}),
		},
	};
	await bulkhead.apply(site);
	await bulkhead.until(server, "running");
});

describe("a port of the host", () => {
	/** None of them runs: their front doors are open all the same. */
	const idle = (address: string, listen: number) => tiny(address, listen, { start: "manual" });
	const withOthers = (others: NonNullable<Site["servers"]>): Site => ({
		...site,
		servers: { ...site.servers, ...others },
	});
	let ports: [number, number];
	/** Whose front door is at each of them. */
	const owners = async () => {
		const groups = await bulkhead.groupNames();
		return ports.map((port) => groups.filter((group) => group.endsWith(`.${port}`)).join());
	};

	test("passes to another server in one apply: two change places, and one gets another name", async () => {
		ports = [await freePort(), await freePort()];
		const [a, b] = ports;
		await bulkhead.apply(withOthers({ m1: idle("10.95.0.21", a), m2: idle("10.95.0.22", b) }));
		expect(await owners()).toEqual([`door.m1.${a}`, `door.m2.${b}`]);
		await bulkhead.apply(withOthers({ m1: idle("10.95.0.21", b), m2: idle("10.95.0.22", a) }));
		expect(await owners()).toEqual([`door.m2.${a}`, `door.m1.${b}`]);
		await bulkhead.apply(withOthers({ m2: idle("10.95.0.22", a), m3: idle("10.95.0.23", b) }));
		expect(await owners()).toEqual([`door.m2.${a}`, `door.m3.${b}`]);
		expect([await accepts(a), await accepts(b)]).toEqual([true, true]);
		await bulkhead.apply(withOthers({}));
		expect(await owners()).toEqual(["", ""]);
		await bulkhead.apply(site);
	});

	test("stays with its server when the other one cannot be made", async () => {
		const [a, taken] = ports;
		await bulkhead.apply(withOthers({ m1: idle("10.95.0.21", a) }));
		const publish = [a, taken].map((listen, i) => ({
			...{ service: `s${i}`, port: 80, to: "host" as const, listen, protocol: "tcp" as const },
		}));
		const text = JSON.stringify(withOthers({ m2: { ...idle("10.95.0.22", a), publish } }));
		const { fingerprint } = await client.call("plan", {}, { text });
		// Not before: what is taken already is seen before anything is made.
		const program = createServer();
		const onProgress = () => void (program.listening || program.listen(taken, "127.0.0.1"));
		const applied = client.apply(
			{ text, fingerprint, confirmed: true },
			onProgress,
			AbortSignal.timeout(60_000),
		);
		await expect(applied).rejects.toThrow(`port ${taken} of this host is in use by another program`);
		program.close();
		await until("its front door", async () => (await owners()).join() === `door.m1.${a},`, 10_000);
		expect(await accepts(a)).toBe(true);
		await bulkhead.apply(site);
	});
});

/** One that failed leaves the others what they expect. */
afterEach(async () => {
	await unpublish().catch(() => {});
});

/** As many as a test may take; `make bench-publish` makes a thousand. */
const changes = Number(process.env.CHANGES ?? 50);

describe("publishing a service of a server that runs", () => {
	test("lets it out at once, and the next apply of a file without it takes it back", async () => {
		const before = await bulkhead.session(server);
		expect(await accepts(extra)).toBe(false);
		const { published, siteFile } = await publish();
		expect(published).toMatchObject(wanted());
		expect(siteFile).toEqual({
			under: `servers.${server}.publish`,
			line: `- { service: extra, protocol: tcp, port: 80, to: host, listen: ${extra} }`,
		});
		expect(await text(extra)).toContain(`session=${before.number} `);
		expect((await bulkhead.show(server)).published).toContainEqual(published);
		const plan = await client.call("plan", {}, { text: JSON.stringify(site) });
		expect(plan.changes[0]?.differences.join("\n")).toContain(`publish[extra].listen: ${extra} → (not set)`);
		expect(plan.changes[0]?.restartNeeded).toBe(false);
		await bulkhead.apply(site);
		expect(await accepts(extra)).toBe(false);
		expect(await others()).toEqual([]);
		expect((await bulkhead.show(server)).published).toHaveLength(2);
		expect(await bulkhead.session(server)).toEqual(before);
	});

	test("is told in the history, also when it is taken back", async () => {
		await publish();
		expect((await get(extra)).status).toBe(200);
		expect(await unpublish()).toMatchObject({ server, published: { service: "extra", listen: extra } });
		const { ways } = await client.call("traffic", { server }, null);
		expect(ways).toContainEqual(
			expect.objectContaining({ what: `extra on port ${extra}`, kind: "published" }),
		);
		const told = (await bulkhead.events())
			.filter(({ kind }) => kind === "front-door")
			.map((event) => event.text);
		expect(told.slice(-2)).toEqual([
			`extra on port ${extra} of this host is published for this host`,
			`extra on port ${extra} of this host is published no more`,
		]);
	});

	test("as a command says what the site file has to say", async () => {
		const args = [server, "extra", "--to", "host", "--listen", `${extra}`, "--port", "80"];
		const done = await bulkhead.command("publish", ...args);
		expect(done).toMatchObject({ code: 0, stderr: "" });
		expect(done.stdout).toContain(`servers.${server}.publish`);
		expect(await text(extra)).toContain("session=");
		const back = await bulkhead.command("unpublish", server, "extra", "--json");
		expect(JSON.parse(back.stdout)).toMatchObject({ published: { service: "extra" } });
		expect(await others()).toEqual([]);
	});

	test("that cannot be let out changes nothing, and says why", async () => {
		const before = await bulkhead.show(server);
		const taken = createServer().listen(extra, "127.0.0.1");
		await once(taken, "listening");
		await expect(publish()).rejects.toMatchObject({ code: "port-in-use" });
		taken.close();
		await once(taken, "close");
		const refused = async (more: object, words: RegExp) => {
			const body = { ...wanted(), ...more };
			const error = await client.call("publish", { server }, body).catch((error: unknown) => error);
			expect(JSON.stringify({ ...(error as object), text: String(error) })).toMatch(words);
		};
		await refused({ listen: http }, /already published by t1/);
		await refused({ hold: "soon" }, /hold/);
		await refused({ port: 0 }, /port/);
		await refused({ service: "Extra service!" }, /service/);
		await refused({ service: "nobody-knows", port: undefined }, /port/);
		await expect(client.call("publish", { server: "t9" }, wanted())).rejects.toMatchObject({
			code: "not-found",
		});
		await expect(unpublish()).rejects.toMatchObject({
			code: "not-found",
			message: `${server} does not publish extra; it publishes http on port ${http} of this host, raw on port ${raw} of this host`,
		});
		expect(await bulkhead.show(server)).toEqual(before);
		expect(await others()).toEqual([]);
		expect(await text(http)).toContain("session=");
	});

	test("again and again breaks no connection of its other services, and leaves nothing", async () => {
		const processes = (await bulkhead.processes()).length;
		const connections = Array.from({ length: 50 }, (_, i) => new LongConnection(i % 2 === 0 ? http : raw));
		const began = performance.now();
		for (let change = 0; change < changes; change += 2) {
			await publish(change % 20 === 0 ? { protocol: "http" } : {});
			await unpublish();
		}
		const seconds = (performance.now() - began) / 1000;
		const broken = (await Promise.all(connections.map((one) => one.stop()))).filter(
			(why) => why !== undefined,
		);
		const answers = connections.reduce((sum, one) => sum + one.answers, 0);
		report(`${changes} changes of what is published`, {
			seconds: Math.round(seconds),
			answers,
			broken: broken.length,
		});
		expect(broken).toEqual([]);
		expect(Math.min(...connections.map((one) => one.answers))).toBeGreaterThan(seconds / 10);
		expect(await others()).toEqual([]);
		await until(
			"as many processes as before",
			async () => (await bulkhead.processes()).length === processes,
			5000,
		);
	}, 400_000);
});

describe("meanwhile", () => {
	test("the daemon is killed: the next one has what was published, and nothing else", async () => {
		const processes = (await bulkhead.processes()).length;
		const long = new LongConnection(raw);
		for (const afterMs of [20, 60, 100, 140, 200, 400]) {
			const changing = (async () => {
				for (;;) {
					await publish();
					await unpublish();
				}
			})().catch(() => {});
			await delay(afterMs);
			await bulkhead.endDaemon("SIGKILL");
			await changing;
			await bulkhead.startDaemon();
			const isPublished = (await bulkhead.show(server)).published.some(({ service }) => service === "extra");
			if (isPublished) {
				await until("it open", async () => await accepts(extra), 10_000);
				expect((await get(extra)).status).toBe(200);
				await unpublish();
			}
			await until("nothing left", async () => (await others()).length === 0, 10_000);
			expect(await accepts(extra)).toBe(false);
		}
		await until(
			"as many processes as before",
			async () => (await bulkhead.processes()).length === processes,
			5000,
		);
		expect(await long.stop()).toBeUndefined();
	});

	test("the server recovers: taking a service back does not keep it from that", async () => {
		await publish();
		const before = await bulkhead.session(server);
		const steady = new SteadyClient(http, 50);
		await client.call("drill", { server }, { fault: "panic" });
		await delay(50);
		await unpublish();
		await publish();
		await bulkhead.untilNext(server, before.number);
		const load = await steady.stop();
		expect(load.failures).toEqual([]);
		const incident = await bulkhead.incident(`${server}-${before.number}`);
		expect(incident).toMatchObject({ outcome: "recovered", felt: { failed: 0 } });
		expect((await get(extra)).status).toBe(200);
		await unpublish();
		expect(await others()).toEqual([]);
	});

	test("nobody listens there: the server is well all the same, also after its next recovery", async () => {
		await publish({ port: 81 });
		await until(
			"it told",
			async () => (await bulkhead.show(server)).reason === "extra does not answer",
			20_000,
		);
		const { incidents, session } = await bulkhead.show(server);
		await client.call("drill", { server }, { fault: "panic" });
		const next = await bulkhead.untilNext(server, session?.number ?? 0);
		await bulkhead.incident(`${server}-${session?.number}`);
		await delay(5000);
		expect(await bulkhead.show(server)).toMatchObject({ state: "running", incidents: incidents + 1 });
		expect((await bulkhead.session(server)).number).toBe(next.number);
		await unpublish();
		await until("it well", async () => (await bulkhead.show(server)).reason === "", 20_000);
	});

	test("the server is stopped: who comes waits, and is served when it starts", async () => {
		await client.call("stop", { server }, { deadlineMs: 0 });
		await bulkhead.until(server, "stopped");
		await publish({ protocol: "http" });
		const asked = get(extra);
		await delay(500);
		await client.call("start", { server }, null);
		expect((await asked).status).toBe(200);
		await unpublish();
		expect(await listIfThere(join(bulkhead.paths.door(server), `${extra}`))).toEqual([]);
	});
});
