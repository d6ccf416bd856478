import { readFile, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { beforeAll, describe, expect, test } from "vitest";
import type { Fault, ServerView } from "../../src/api/server.ts";
import type { ServerDefinition, Site } from "../../src/api/site.ts";
import { detectGroupSupport } from "../../src/host/cgroup.ts";
import { run } from "../../src/host/command.ts";
import { clientFor } from "../../src/network/testing/client.ts";
import {
	freePort,
	get,
	instanceForTests,
	panic,
	report,
	SteadyClient,
	text,
	tiny,
	until,
} from "./harness.ts";

/** Real servers that recover warm: one without data, one with a data disk. */
const bulkhead = instanceForTests();
const { client } = bulkhead;
const warm = { recovery: { mode: "warm", standby: 1 } } as const;
const at = {
	web: { segment: "lab", address: "10.91.0.10", address6: "fd00:91::10" },
	db: { segment: "lab", address: "10.91.0.11", address6: "fd00:91::11" },
};
let port: number;
let dataPort: number;

/** Both may ask each other for pages. */
function site(web: Partial<ServerDefinition> = {}, more: Record<string, ServerDefinition> = {}): Site {
	const allow = (from: string) => ({ allow: [{ from, service: "http" }] });
	const data = [{ name: "data", size: "16MiB" as const }];
	return {
		name: "warm",
		segments: { lab: { subnet: "10.91.0.0/24", subnet6: "fd00:91::/64" } },
		servers: {
			web: { ...tiny(at.web.address, port, warm), network: at.web, ...allow("db"), ...web },
			db: { ...tiny(at.db.address, dataPort, { ...warm, data }), network: at.db, ...allow("web") },
			...more,
		},
	};
}

const standsBy = (view: ServerView) => view.warm?.seal === "ready" && view.warm.standbys === 1;
const ready = async (server: string) => await bulkhead.until(server, "running", standsBy);

/** Waits until a later session runs, with the next one standing by. */
async function next(server: string, before: number): Promise<ServerView> {
	return await bulkhead.until(
		server,
		"running",
		(view) => (view.session?.number ?? 0) > before && standsBy(view),
	);
}

async function fail(server: string, fault: Fault): Promise<{ before: number; after: ServerView }> {
	const { session } = await ready(server);
	const before = session?.number ?? 0;
	await client.call("drill", { server }, { fault });
	return { before, after: await next(server, before) };
}

async function post(port: number, path: string): Promise<string> {
	const { status, body } = await clientFor(port).request("POST", path);
	expect(status, body).toBe(200);
	return body;
}

/** @returns what a guest is told when it asks an address for its page */
async function pageFor(server: string, address: string): Promise<string> {
	const said = await bulkhead.type(server, `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 3 ${address} 80`);
	if (said === undefined) throw new Error(`${server} did not finish asking ${address}`);
	return said;
}

beforeAll(async () => {
	port = await freePort();
	dataPort = await freePort();
	await bulkhead.apply(site());
	await ready("web");
	await ready("db");
});

describe("a server that recovers warm", () => {
	test.each<[Fault, string]>([
		["panic", "panic"],
		["kill", "process-ended"],
		["hang", "hang"],
		["freeze", "frozen"],
	])("goes on in its next session after %s, and no GET fails", async (fault, cause) => {
		const steady = new SteadyClient(port, 50);
		await delay(500);
		const { before, after } = await fail("web", fault);
		const load = await steady.stop();
		expect(load.failures).toEqual([]);
		expect(after.session).toMatchObject({ from: "seal" });
		expect(await text(port)).toContain(`session=${after.session?.number} `);
		const incident = await bulkhead.incident(`web-${before}`);
		expect(incident).toMatchObject({ cause, outcome: "recovered", nextSession: after.session?.number });
		await until(
			"the failed session closed",
			async () => !(await bulkhead.groupIsThere("web", before)),
			30_000,
		);
		report(`warm recovery, drill ${fault}`, { outageMs: incident.outageMs, ...load });
	});

	test("gets the share of one that serves, and only small pages", async () => {
		const { session } = await ready("web");
		const status = await readFile(`/proc/${session?.pid}/status`, "utf8");
		expect(status).toMatch(/^THP_enabled:\s+0$/m);
		const { cpu } = detectGroupSupport();
		if (!cpu) return;
		const folder = join(cpu.root, `bulkhead-${bulkhead.tag}/session.web-${session?.number}`);
		const read = async (file: string) => (await readFile(join(folder, file), "utf8")).trim();
		expect(await read("cpu.idle")).toBe("0");
		expect(await read(cpu.version === 2 ? "cpu.weight" : "cpu.shares")).toBe(
			cpu.version === 2 ? "50" : "512",
		);
	});

	test("that panics by itself is recovered the same way, and everything about it is kept", async () => {
		const { session } = await ready("web");
		const before = session?.number ?? 0;
		await panic(port);
		await next("web", before);
		const story = async () => (await bulkhead.incident(`web-${before}`)).evidence;
		await until("its evidence", async () => (await story()).includes("screen.png"), 30_000);
		expect(await story()).toEqual(
			expect.arrayContaining(["screen.png", "console.txt", "qmp.log", "argv.json"]),
		);
	});

	test("keeps its IPv6 address: each session reaches others and is reached, and sends as nobody else", async () => {
		const dropped = async () => {
			const { counted } = await client.call("sandbox", { server: "web" }, null);
			return [counted?.spoofedIp6, counted?.spoofedNd, counted?.otherProtocol].map((tally) => tally?.packets);
		};
		const before = await dropped();
		for (const fault of ["panic", "kill"] as const) {
			const { after } = await fail("web", fault);
			expect(after.session).toMatchObject({ from: "seal" });
			const own = `server=web session=${after.session?.number} `;
			expect(await pageFor("db", at.web.address6)).toContain(own);
			expect(await pageFor("web", at.db.address6)).toContain("server=db ");
		}
		expect(await dropped()).toEqual(before);
	});

	test("keeps on its data disk what was acknowledged, and gives it to the next session", async () => {
		await post(dataPort, "/cgi-bin/write?name=kept&value=before&disk=data");
		const { after } = await fail("db", "panic");
		await until(
			"the data disk",
			async () => (await get(dataPort, "/cgi-bin/read?name=kept&disk=data")).status === 200,
			30_000,
		);
		expect(await text(dataPort, "/cgi-bin/read?name=kept&disk=data")).toBe("before");
		await post(dataPort, "/cgi-bin/write?name=kept&value=after&disk=data");
		await fail("db", "freeze");
		await until(
			"the data disk",
			async () => (await get(dataPort, "/cgi-bin/read?name=kept&disk=data")).status === 200,
			30_000,
		);
		expect(await text(dataPort, "/cgi-bin/read?name=kept&disk=data")).toBe("after");
		expect(after.session).toMatchObject({ from: "seal" });
	});

	test("goes on in sessions that differ in their random numbers, and know what time it is", async () => {
		const ask = async () =>
			await bulkhead.type(
				"web",
				"head -c 16 /dev/urandom | od -An -tx1; date +%s; cat /proc/sys/kernel/random/uuid",
			);
		const seen = [];
		for (let i = 0; i < 2; i++) {
			await fail("web", "kill");
			const said = (await ask()) ?? "";
			const clock = Number(/\b(1[6-9]\d{8}|[2-9]\d{9})\b/.exec(said)?.[1]);
			expect(Math.abs(clock - Date.now() / 1000), said).toBeLessThan(2);
			seen.push(/(?: [0-9a-f]{2}){16}/.exec(said)?.[0], /[0-9a-f]{8}-[0-9a-f-]{27}/.exec(said)?.[0]);
		}
		expect(seen.every(Boolean)).toBe(true);
		expect(new Set(seen).size).toBe(4);
	});

	test("starts from its seal, and nothing of it lives while it is stopped", async () => {
		await client.call("stop", { server: "web" }, { deadlineMs: 0 });
		await bulkhead.until("web", "stopped");
		const left = async () => (await bulkhead.processes()).length;
		const alone = await left();
		await client.call("start", { server: "web" }, null);
		expect((await ready("web")).session).toMatchObject({ from: "seal" });
		expect(await left()).toBeGreaterThan(alone);
	});

	test("is taken over by the next daemon, with what stood by ended and made anew", async () => {
		const { session } = await ready("web");
		await bulkhead.endDaemon("SIGKILL");
		await bulkhead.startDaemon();
		const after = await ready("web");
		expect(after.session).toMatchObject({ number: session?.number, pid: session?.pid });
		await fail("web", "panic");
	});

	test("is renewed without anybody noticing, requests that are not repeatable included", async () => {
		const steady = new SteadyClient(port, 30);
		const posts: Promise<string>[] = [];
		const poster = setInterval(() => posts.push(post(port, "/cgi-bin/id")), 100);
		for (let i = 0; i < 3; i++) {
			const { session } = await ready("web");
			await client.call("renew", { server: "web" }, { deadlineMs: 10_000 });
			await next("web", session?.number ?? 0);
		}
		clearInterval(poster);
		await Promise.all(posts);
		const load = await steady.stop();
		expect(load.failures).toEqual([]);
		report("renew", { posts: posts.length, ...load });
	});
});

describe("a disposable system disk", () => {
	const forget = "umount /var/kept 2>/dev/null; true";

	test("is changed in a kept session, and the next sessions have the change", async () => {
		await ready("web");
		await client.call("changes", { server: "web" }, { what: "begin" });
		await bulkhead.until("web", "running", ({ changing, session }) => changing && session?.readyAt !== null);
		// The boot that is sealed next believes that it is forty days ago.
		const settled = "/usr/lib/bulkhead/settled";
		const back = 'date -s "@$(($(date +%s) - 3456000))" > /dev/null';
		await bulkhead.type(
			"web",
			`sed -i '2i [ -e /run/bulkhead/settled ] || ${back}' ${settled}; echo changed > /srv/changed; sync; ${forget}`,
		);
		await client.call("stop", { server: "web" }, { deadlineMs: 30_000 });
		await bulkhead.until("web", "stopped");
		await client.call("changes", { server: "web" }, { what: "commit" });
		await client.call("start", { server: "web" }, null);
		expect((await ready("web")).session).toMatchObject({ from: "boot" });
		await fail("web", "panic");
		expect(await bulkhead.type("web", "cat /srv/changed")).toContain("changed");
	});

	test("sealed forty days ago: a session knows what time it is before anybody is answered", async () => {
		for (let i = 0; i < 3; i++) {
			const steady = new SteadyClient(port, 50);
			await fail("web", "kill");
			const { headers } = await fetch(`http://127.0.0.1:${port}/`);
			const date = Date.parse(headers.get("date") ?? "");
			expect(Math.abs(date - Date.now())).toBeLessThan(2000);
			expect((await steady.stop()).failures).toEqual([]);
		}
	});

	test("loses changes that are abandoned", async () => {
		await ready("web");
		await client.call("changes", { server: "web" }, { what: "begin" });
		await bulkhead.until("web", "running", ({ changing, session }) => changing && session?.readyAt !== null);
		await bulkhead.type("web", "rm /srv/changed; sync");
		await client.call("stop", { server: "web" }, { deadlineMs: 30_000 });
		await bulkhead.until("web", "stopped");
		await client.call("changes", { server: "web" }, { what: "abandon" });
		await client.call("start", { server: "web" }, null);
		await ready("web");
		expect(await bulkhead.type("web", "cat /srv/changed")).toContain("changed");
	});
});

describe("a server that sleeps", () => {
	test("is woken by the first connection, which is answered", async () => {
		const sleepPort = await freePort();
		const nap = tiny("10.91.0.12", sleepPort, { ...warm, sleep: { after: "5s" } });
		await bulkhead.apply(site({}, { nap }));
		await bulkhead.until("nap", "asleep");
		const asleep = await bulkhead.show("nap");
		expect(asleep.session).toBeNull();
		const began = performance.now();
		expect(await text(sleepPort)).toMatch(/^server=nap session=\d+ /);
		report("wake", { firstAnswerMs: Math.round(performance.now() - began) });
		await bulkhead.until("nap", "running");
		await bulkhead.until("nap", "asleep");
		await client.call("stop", { server: "nap" }, { deadlineMs: 0 });
		await bulkhead.until("nap", "stopped");
	});
});

describe("a seal", () => {
	const seal = () => bulkhead.paths.server("web").seal;
	const why = async () =>
		(await bulkhead.events()).findLast(({ text }) => text.includes("The seal cannot be used"))?.text;

	test.each<[string, () => Promise<void>, string]>([
		["with a flipped byte", async () => await flip(seal().ram, 4096), "its memory is damaged"],
		[
			"with a truncated memory",
			async () => await truncate(seal().ram, 4096),
			"its memory has 4096 bytes instead",
		],
		[
			"without its overlay",
			async () => void (await run("rm", [seal().system], { deadlineMs: 5000 })),
			"overlay is missing",
		],
		[
			"of another machine type",
			async () => await anotherMachine(seal().manifest),
			"the machine type has changed",
		],
	])(
		"%s is refused with its reason; the server recovers cold, and is sealed anew",
		async (_, damage, words) => {
			await ready("web");
			await bulkhead.endDaemon("SIGKILL");
			await damage();
			await bulkhead.startDaemon();
			await until(
				"the refusal",
				async () => (await why())?.includes(words) ?? false,
				60_000,
				() => words,
			);
			const { session } = await bulkhead.until("web", "running");
			await client.call("drill", { server: "web" }, { fault: "panic" });
			await bulkhead.untilNext("web", session?.number ?? 0);
			expect((await ready("web")).warm).toMatchObject({ seal: "ready" });
		},
	);

	test("made for another IPv6 address is refused, and made anew for the new one", async () => {
		await ready("web");
		await client.call("stop", { server: "web" }, { deadlineMs: 0 });
		await bulkhead.until("web", "stopped");
		const moved = "fd00:91::20";
		await bulkhead.apply(site({ network: { ...at.web, address6: moved } }));
		await client.call("start", { server: "web" }, null);
		expect((await bulkhead.until("web", "running")).session).toMatchObject({ from: "boot" });
		expect(await why()).toContain("the server's hardware has changed");
		const { after } = await fail("web", "panic");
		expect(after.session).toMatchObject({ from: "seal" });
		expect(await pageFor("db", moved)).toContain(`server=web session=${after.session?.number} `);
		expect(await pageFor("db", at.web.address6)).not.toContain("server=");
	});

	test("is not changed by the sessions that start from it", async () => {
		await ready("web");
		const sums = async () =>
			await run("sha256sum", [seal().ram, seal().state, seal().system], { deadlineMs: 60_000 });
		const before = (await sums()).stdout;
		for (let i = 0; i < 5; i++) await fail("web", "panic");
		expect((await sums()).stdout).toBe(before);
		const { blocks, size } = await stat(seal().ram);
		expect(blocks * 512).toBeLessThan(size);
	});
});

async function flip(path: string, at: number): Promise<void> {
	const content = await readFile(path);
	content[at] = (content[at] ?? 0) ^ 1;
	await writeFile(path, content);
}

async function anotherMachine(path: string): Promise<void> {
	await writeFile(
		path,
		(await readFile(path, "utf8")).replace('"machine": "pc-q35-', '"machine": "pc-q35-old-'),
	);
}
