import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { beforeAll, describe, expect, test } from "vitest";
import type { BulkheadError } from "../../src/api/errors.ts";
import type { Site } from "../../src/api/site.ts";
import { run } from "../../src/host/command.ts";
import { setKernel } from "../../src/network/namespace.ts";
import { instanceForTests, tiny, until } from "./harness.ts";
import { talk } from "./talk.ts";

/**
 * A real guest with an address of the LAN. The host's network is a namespace, and so is a machine of the LAN: on the one
 * that runs this no setting, route or rule is changed.
 */
const tag = `bhl${process.pid}`;
const [host, pc] = [`${tag}host`, `${tag}pc`];
const ip = async (...args: string[]) => (await run("ip", args, { deadlineMs: 10_000 })).stdout;
const inside = async (namespace: string, ...command: string[]) =>
	(await run("nsenter", [`--net=/run/netns/${namespace}`, ...command], { deadlineMs: 60_000 })).stdout;

// Before the daemon, which begins in it.
beforeAll(async () => {
	for (const namespace of [host, pc]) {
		await ip("netns", "add", namespace);
		await ip("-n", namespace, "link", "set", "lo", "up");
	}
	await setKernel(host, { "net/ipv4/ip_forward": 1 });
	await ip("-n", host, "link", "add", "lan0", "type", "veth", "peer", "name", "eth0", "netns", pc);
	for (const [namespace, dev, address] of [
		[host, "lan0", "192.168.7.1/24"],
		[pc, "eth0", "192.168.7.50/24"],
	] as const) {
		await ip("-n", namespace, "link", "set", dev, "up");
		await ip("-n", namespace, "addr", "add", address, "dev", dev);
	}
});
const bulkhead = instanceForTests(undefined, host, async () => {
	for (const namespace of [host, pc]) await ip("netns", "del", namespace);
});
const { client } = bulkhead;
const address = "192.168.7.20";
const site = (publish: NonNullable<NonNullable<Site["servers"]>[string]["publish"]>): Site => ({
	name: "branch",
	segments: { lab: { subnet: "192.168.7.0/24", lan: "lan0", gateway: "192.168.7.254" } },
	servers: {
		files: tiny(address, 0, { recovery: { mode: "warm", standby: 1 }, publish }),
	},
});
const web = { service: "http", to: "lan" } as const;

/** Asks for a page from a machine of the LAN. @returns what it says, or null */
async function page(path = "/", from = pc, port = 80): Promise<string | null> {
	const script = `fetch("http://${address}:${port}${path}", { signal: AbortSignal.timeout(2000) })
		.then((answer) => answer.text()).then((text) => console.log(JSON.stringify(text)), () => console.log("null"))`;
	return JSON.parse(await inside(from, process.execPath, "-e", script)) as string | null;
}

const hostNet = async () => ({
	links: (JSON.parse(await ip("-n", host, "-j", "link")) as { ifname: string }[]).map(({ ifname }) => ifname),
	tables: (await inside(host, "nft", "list", "tables")).trim(),
	routes: (await ip("-n", host, "route")).trim(),
	proxies: (await ip("-n", host, "neigh", "show", "proxy")).trim(),
});
let before: Awaited<ReturnType<typeof hostNet>>;

/** An interface keeps its IPv4 addresses, and loses all answers for others. */
async function rename(from: string, to: string): Promise<void> {
	for (const words of [["down"], ["name", to]]) await ip("-n", host, "link", "set", from, ...words);
	await ip("-n", host, "link", "set", to, "up");
	await until("it is up", async () => (await ip("-n", host, "link", "show", to)).includes("state UP"), 5000);
}

beforeAll(async () => {
	before = await hostNet();
	await bulkhead.apply(site([web]));
	await bulkhead.until(
		"files",
		"running",
		({ warm, session }) => session?.readyAt !== null && warm?.standbys === 1,
	);
});

describe("a server with an address of the LAN", () => {
	test("is reached there, and only on what it publishes", async () => {
		expect(await page()).toContain("session");
		expect(await page("/", pc, 8081)).toBeNull();
		const { published, watch } = await bulkhead.show("files");
		expect(published).toMatchObject([{ service: "http", through: "address", listen: null }]);
		expect(watch.join()).toContain("health of http");
		const { waysIn } = await client.call("sandbox", { server: "files" }, null);
		expect(waysIn).toMatchObject([{ from: "lan", through: "address", health: "up" }]);
	});

	test("after a panic the LAN reaches the next session, at the same address", async () => {
		const { number } = await bulkhead.session("files");
		const first = await page();
		await client.call("drill", { server: "files" }, { fault: "panic" });
		const next = await bulkhead.untilNext("files", number);
		expect(next.from).toBe("seal");
		const second = await page();
		expect(second).not.toBeNull();
		expect(second).not.toBe(first);
		const incident = async () => await client.call("incident", { incident: `files-${number}` }, null);
		await until("the incident is over", async () => (await incident()).outcome === "recovered", 30_000);
		// Nobody was held at a front door.
		expect((await incident()).felt).toBeNull();
	});

	test("is renewed only when nobody is connected to it", async () => {
		const { number } = (await bulkhead.until("files", "running", ({ warm }) => warm?.standbys === 1))
			.session ?? {
			number: 0,
		};
		await using open = await talk(pc, address, 80);
		const renew = async () => await client.call("renew", { server: "files" }, { deadlineMs: 1000 });
		await expect(renew()).rejects.toThrow(/connections/);
		expect((await bulkhead.session("files")).number).toBe(number);
		await open[Symbol.asyncDispose]();
		await renew();
		expect((await bulkhead.untilNext("files", number)).from).toBe("seal");
		expect(await page()).toContain("session");
	});

	test("who uses it is counted", async () => {
		await page();
		const { ways } = await client.call("traffic", { server: "files" }, null);
		const used = ways.find(({ kind }) => kind === "published");
		expect(used).toMatchObject({ what: "http at its own address", clients: [{ client: "192.168.7.50" }] });
		expect(used?.bytesOut).toBeGreaterThan(0);
		expect(ways).toContainEqual(expect.objectContaining({ kind: "dropped", what: "arriving" }));
	});

	test("has its questions for names answered by the sandbox", async () => {
		expect(await bulkhead.type("files", "nslookup files")).toMatch(/192\.168\.7\.20[\s\S]*DONE-0/);
	});

	test("what it publishes changes while it runs", async () => {
		const error = await client
			.call("publish", { server: "files" }, { ...web, to: "host" })
			.catch((error: unknown) => error);
		expect((error as BulkheadError).problems).toMatchObject([
			{ field: "publish.1.to", message: expect.stringContaining("`to: lan` includes this host") },
		]);
		await client.call("unpublish", { server: "files" }, { service: "http" });
		expect(await page()).toBeNull();
		await client.call("publish", { server: "files" }, { ...web, to: "host" });
		expect(await page()).toBeNull();
		expect(await page("/", host)).toContain("session");
		await client.call("unpublish", { server: "files" }, { service: "http" });
		await client.call("publish", { server: "files" }, { service: "everything", to: "lan" });
		expect(await page()).toContain("session");
	});

	test("the next daemon finds everything as it was", async () => {
		const there = await hostNet();
		await bulkhead.endDaemon("SIGKILL");
		expect(await hostNet()).toEqual(there);
		expect(await page()).toContain("session");
		await bulkhead.startDaemon();
		await bulkhead.until("files", "running");
		expect(await page()).toContain("session");
		expect(await hostNet()).toEqual(there);
	});

	test.each<[string, Site, RegExp]>([
		[
			"an interface that is not there",
			{ name: "branch", segments: { lab: { subnet: "192.168.7.0/24", lan: "eth9" } } },
			/segments\.lab\.lan: this host has no network interface eth9 with an address; it has lan0/,
		],
		[
			"another network",
			{ name: "branch", segments: { lab: { subnet: "192.168.8.0/24", lan: "lan0" } } },
			/lan0 has no address in 192\.168\.8\.0\/24 \(it has 192\.168\.7\.1\)/,
		],
		[
			"an address of the host",
			{ ...site([]), servers: { files: tiny("192.168.7.1", 0, { publish: [] }) } },
			/192\.168\.7\.1 is an address of this host itself/,
		],
		[
			"the LAN at an address that it does not know",
			{
				name: "branch",
				segments: { lab: { subnet: "10.9.0.0/24" } },
				servers: { files: tiny("10.9.0.2", 0, { publish: [{ ...web, through: "address" }] }) },
			},
			/publish.*\bto: the LAN reaches no address of the sandbox's own: put files on a segment with `lan:`/,
		],
	])("bad input: %s", async (_, wrong, message) => {
		const error = await bulkhead.apply(wrong).catch((error: unknown) => error);
		const { problems } = error as BulkheadError;
		expect(problems.map(({ field, message }) => `${field}: ${message}`).join("\n")).toMatch(message);
		expect(await page()).toContain("session");
	});

	test("what lets the LAN in is guarded also while the site is being changed", async () => {
		const image = join(bulkhead.state, "empty.raw");
		await run("truncate", ["-s", "16M", image], { deadlineMs: 5000 });
		const { servers, ...others } = site([{ service: "everything", to: "lan" }]);
		// It hears of no power button, and is waited for.
		await bulkhead.apply({ ...others, servers: { ...servers, deaf: { image, memory: "32MiB" } } });
		const deaf = async () => (await client.call("list", {}, null)).find(({ name }) => name === "deaf")?.state;
		const applied = bulkhead.apply({ ...others, servers: { ...servers } });
		await until("it is being stopped", async () => (await deaf()) === "stopping", 10_000);
		const { tables } = await hostNet();
		await inside(host, "nft", "flush", "ruleset");
		await until("its rules are back", async () => (await hostNet()).tables === tables, 20_000);
		expect(await deaf()).toBe("stopping");
		await applied;
		expect(await page()).toContain("session");
	});

	test("when its interface is gone, that is told, and what is published changes; when it is back, it is reached", async () => {
		await rename("lan0", "lan9");
		await client.call("unpublish", { server: "files" }, { service: "everything" });
		await client.call("publish", { server: "files" }, web);
		expect(await page("/", host)).toContain("session");
		const said = "this host has no network interface lan0";
		const { outbound } = await client.call("sandbox", { server: "files" }, null);
		expect(outbound.obstacles).toMatchObject([{ found: said }]);
		const texts = (await bulkhead.events()).map(({ text }) => text);
		expect(texts.filter((text) => text.toLowerCase().startsWith(said))).toHaveLength(1);
		await rename("lan9", "lan0");
		await until("the LAN reaches it", async () => (await page()) !== null, 30_000);
	});

	test("and when it has another name, the site is changed to that", async () => {
		await rename("lan0", "lan9");
		await client.call("stop", { server: "files" }, { deadlineMs: 0 });
		await bulkhead.until("files", "stopped");
		const { segments, ...others } = site([web]);
		const lab = { subnet: "192.168.7.0/24", lan: "lan9", gateway: "192.168.7.254" };
		await bulkhead.apply({ ...others, segments: { ...segments, lab } });
		expect((await hostNet()).proxies).toContain("192.168.7.20 dev lan9");
		// What follows deletes it without its interface.
		await ip("-n", host, "link", "set", "lan9", "down");
		await ip("-n", host, "link", "set", "lan9", "name", "lan8");
	});

	test("once it is deleted nothing of it is left on the host", async () => {
		await client.call("delete", { server: "files" }, { destroyDisks: true });
		await rename("lan8", "lan0");
		await bulkhead.apply({ name: "branch" });
		await delay(100);
		expect(await hostNet()).toEqual(before);
	});
});
