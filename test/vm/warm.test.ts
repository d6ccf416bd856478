import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { beforeAll, describe, expect, test } from "vitest";
import type { Fault } from "../../src/api/server.ts";
import { GuestAgent } from "../../src/qemu/agent.ts";
import { get, instanceForTests, panic, patience, report, SteadyClient, text, until } from "./harness.ts";
import { at, post, WarmSite } from "./warm-site.ts";

/** Real servers that recover warm: one without data, one with a data disk. */
const bulkhead = instanceForTests();
const { client } = bulkhead;
const site = new WarmSite(bulkhead);

beforeAll(async () => await site.start());

describe("a server that recovers warm", () => {
	test.each<[Fault, string]>([
		["panic", "panic"],
		["kill", "process-ended"],
		["hang", "hang"],
		["freeze", "frozen"],
	])("goes on in its next session after %s, and no GET fails", async (fault, cause) => {
		const steady = new SteadyClient(site.ports.web, 50);
		await delay(500);
		const { before, after } = await site.fail("web", fault);
		const load = await steady.stop();
		expect(load.failures).toEqual([]);
		expect(after.session).toMatchObject({ from: "seal" });
		expect(await text(site.ports.web)).toContain(`session=${after.session?.number} `);
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
		const { session } = await site.ready("web");
		const status = await readFile(`/proc/${session?.pid}/status`, "utf8");
		expect(status).toMatch(/^THP_enabled:\s+0$/m);
		expect([50, undefined]).toContain(await bulkhead.shareOf("web", session?.number ?? 0));
	});

	test("that panics by itself is recovered the same way, and everything about it is kept", async () => {
		const { session } = await site.ready("web");
		const before = session?.number ?? 0;
		await panic(site.ports.web);
		await site.next("web", before);
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
		for (const fault of ["panic", "kill"] as const) {
			const { after } = await site.fail("web", fault);
			expect(after.session).toMatchObject({ from: "seal" });
			const own = `server=web session=${after.session?.number} `;
			expect(await site.pageFor("db", at.web.address6)).toContain(own);
			expect(await site.pageFor("web", at.db.address6)).toContain("server=db ");
		}
		expect(await dropped()).toEqual([0, 0, 0]);
	});

	test("keeps on its data disk what was acknowledged, and gives it to the next session", async () => {
		await post(site.ports.db, "/cgi-bin/write?name=kept&value=before&disk=data");
		const { after } = await site.fail("db", "panic");
		await until(
			"the data disk",
			async () => (await get(site.ports.db, "/cgi-bin/read?name=kept&disk=data")).status === 200,
			30_000,
		);
		expect(await text(site.ports.db, "/cgi-bin/read?name=kept&disk=data")).toBe("before");
		await post(site.ports.db, "/cgi-bin/write?name=kept&value=after&disk=data");
		await site.fail("db", "freeze");
		await until(
			"the data disk",
			async () => (await get(site.ports.db, "/cgi-bin/read?name=kept&disk=data")).status === 200,
			30_000,
		);
		expect(await text(site.ports.db, "/cgi-bin/read?name=kept&disk=data")).toBe("after");
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
			await site.fail("web", "kill");
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
		expect((await site.ready("web")).session).toMatchObject({ from: "seal" });
		expect(await left()).toBeGreaterThan(alone);
	});

	test("is taken over by the next daemon, with what stood by ended and made anew", async () => {
		const { session } = await site.ready("web");
		await bulkhead.endDaemon("SIGKILL");
		await bulkhead.startDaemon();
		const after = await site.ready("web");
		expect(after.session).toMatchObject({ number: session?.number, pid: session?.pid });
		await site.fail("web", "panic");
	});

	test("whose daemon ended right after it had frozen its file systems writes again with the next one", async () => {
		const { session } = await site.ready("db");
		await bulkhead.endDaemon("SIGKILL");
		const sockets = bulkhead.paths.sockets("db", session?.number ?? 0);
		const agent = new GuestAgent(join(sockets, "agent.sock"), () => {});
		expect(await agent.execute("guest-fsfreeze-freeze", {}, patience.answer)).toBeGreaterThan(0);
		expect(await agent.execute("guest-fsfreeze-status", {}, patience.answer)).toBe("frozen");
		agent.close();
		await bulkhead.startDaemon();
		await post(site.ports.db, "/cgi-bin/write?name=thawed&value=again&disk=data");
		expect((await site.ready("db")).session).toMatchObject({ number: session?.number });
	});

	test("is renewed without anybody noticing, requests that are not repeatable included", async () => {
		const steady = new SteadyClient(site.ports.web, 30);
		const posts: Promise<string>[] = [];
		const poster = setInterval(() => posts.push(post(site.ports.web, "/cgi-bin/id")), 100);
		for (let i = 0; i < 3; i++) {
			const { session } = await site.ready("web");
			await client.call("renew", { server: "web" }, { deadlineMs: 10_000 });
			await site.next("web", session?.number ?? 0);
		}
		clearInterval(poster);
		await Promise.all(posts);
		const load = await steady.stop();
		expect(load.failures).toEqual([]);
		report("renew", { posts: posts.length, ...load });
	});
});
