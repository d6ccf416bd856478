import { readFile, stat, writeFile } from "node:fs/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { run } from "../../src/host/command.ts";
import { freePort, instanceForTests, report, SteadyClient, text, tiny, until } from "./harness.ts";
import { at, WarmSite, warm } from "./warm-site.ts";

/** What servers start from: their seals, what their system disks were changed to, and the sleep from which they wake. */
const bulkhead = instanceForTests();
const { client } = bulkhead;
const site = new WarmSite(bulkhead);

beforeAll(async () => await site.start());

describe("a disposable system disk", () => {
	const forget = "umount /var/kept 2>/dev/null; true";

	test("is changed in a kept session, and the next sessions have the change", async () => {
		await site.ready("web");
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
		expect((await site.ready("web")).session).toMatchObject({ from: "boot" });
		await site.fail("web", "panic");
		expect(await bulkhead.type("web", "cat /srv/changed")).toContain("changed");
	});

	test("sealed forty days ago: a session knows what time it is before anybody is answered", async () => {
		for (let i = 0; i < 3; i++) {
			const steady = new SteadyClient(site.ports.web, 50);
			await site.fail("web", "kill");
			const { headers } = await fetch(`http://127.0.0.1:${site.ports.web}/`);
			const date = Date.parse(headers.get("date") ?? "");
			expect(Math.abs(date - Date.now())).toBeLessThan(2000);
			expect((await steady.stop()).failures).toEqual([]);
		}
	});

	test("loses changes that are abandoned", async () => {
		await site.ready("web");
		await client.call("changes", { server: "web" }, { what: "begin" });
		await bulkhead.until("web", "running", ({ changing, session }) => changing && session?.readyAt !== null);
		await bulkhead.type("web", "rm /srv/changed; sync");
		await client.call("stop", { server: "web" }, { deadlineMs: 30_000 });
		await bulkhead.until("web", "stopped");
		await client.call("changes", { server: "web" }, { what: "abandon" });
		await client.call("start", { server: "web" }, null);
		await site.ready("web");
		expect(await bulkhead.type("web", "cat /srv/changed")).toContain("changed");
	});
});

describe("a server that sleeps", () => {
	test("is woken by the first connection, which is answered", async () => {
		const sleepPort = await freePort();
		const nap = tiny("10.91.0.12", sleepPort, { ...warm, sleep: { after: "5s" } });
		await bulkhead.apply(site.definition({}, { nap }));
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
			"of another machine type",
			async () => await anotherMachine(seal().manifest),
			"the machine type has changed",
		],
	])(
		"%s is refused with its reason; the server recovers cold, and is sealed anew",
		async (_, damage, words) => {
			await site.ready("web");
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
			expect((await site.ready("web")).warm).toMatchObject({ seal: "ready" });
		},
	);

	test("made for another IPv6 address is refused, and made anew for the new one", async () => {
		await site.ready("web");
		await client.call("stop", { server: "web" }, { deadlineMs: 0 });
		await bulkhead.until("web", "stopped");
		const moved = "fd00:91::20";
		await bulkhead.apply(site.definition({ network: { ...at.web, address6: moved } }));
		await client.call("start", { server: "web" }, null);
		expect((await bulkhead.until("web", "running")).session).toMatchObject({ from: "boot" });
		expect(await why()).toContain("the server's hardware has changed");
		const { after } = await site.fail("web", "panic");
		expect(after.session).toMatchObject({ from: "seal" });
		expect(await site.pageFor("db", moved)).toContain(`server=web session=${after.session?.number} `);
		expect(await site.pageFor("db", at.web.address6)).not.toContain("server=");
	});

	test("is not changed by the sessions that start from it", async () => {
		await site.ready("web");
		const sums = async () =>
			await run("sha256sum", [seal().ram, seal().state, seal().system], { deadlineMs: 60_000 });
		const before = (await sums()).stdout;
		for (let i = 0; i < 5; i++) await site.fail("web", "panic");
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
