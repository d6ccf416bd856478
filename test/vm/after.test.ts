import { beforeAll, describe, expect, test } from "vitest";
import type { ServerDefinition, Site } from "../../src/api/site.ts";
import { freePort, instanceForTests, report, text, tiny, until } from "./harness.ts";

/** Two real servers, of which one comes after the other. */
const bulkhead = instanceForTests();
const { client } = bulkhead;
const dc = "dc";
const mail = "mail";
let port: number;

const site: Site = { name: "order", segments: { lab: { subnet: "10.91.0.0/24" } } };
let controller: ServerDefinition;

beforeAll(async () => {
	port = await freePort();
	controller = tiny("10.91.0.10", await freePort());
	await bulkhead.apply({ ...site, servers: { [dc]: controller } });
	await bulkhead.until(dc, "running");
	await makeWhileTheOtherRestarts();
});

async function makeWhileTheOtherRestarts(): Promise<void> {
	await client.call("restart", { server: dc }, { deadlineMs: 60_000 });
	const servers = { [mail]: tiny("10.91.0.20", port, { after: [dc] }), [dc]: controller };
	await bulkhead.apply({ ...site, servers });
}

/** Its session begins when the one that it comes after is ready. */
async function startsAfterTheOther(): Promise<void> {
	const { session } = await bulkhead.until(mail, "running");
	const { readyAt } = await bulkhead.session(dc);
	expect(session?.startedAt).toBeGreaterThanOrEqual(readyAt ?? Number.POSITIVE_INFINITY);
}

const told = async (server: string) =>
	(await bulkhead.events()).filter((event) => event.server === server).map((event) => event.text);

describe("a server that comes after another", () => {
	test("is started when that is ready, and says what it waits for", async () => {
		await startsAfterTheOther();
		expect((await bulkhead.show(mail)).after).toEqual([dc]);
		expect((await told(mail)).join("\n")).toMatch(/^starting: waits for dc, which (restarts|starts)$/m);
	});

	test("goes on in its session, without an incident, while that one panics and is recovered", async () => {
		const [before, others] = [await bulkhead.session(mail), await bulkhead.session(dc)];
		await client.call("drill", { server: dc }, { fault: "panic" });
		await bulkhead.until(dc, "starting");
		expect(await text(port)).toContain(`session=${before.number} `);
		await bulkhead.untilNext(dc, others.number);
		const { outageMs } = await bulkhead.incident(`${dc}-${others.number}`);
		report("outage of the one that others come after", { outageMs });
		expect(await bulkhead.show(mail)).toMatchObject({ state: "running", incidents: 0, session: before });
	});

	test("is told of by who stops that one, and not blamed for a service that is silent meanwhile", async () => {
		const before = await bulkhead.session(mail);
		const { code, stdout } = await bulkhead.command("stop", dc);
		expect([code, stdout]).toEqual([
			0,
			"dc is stopped.\nOf the servers that come after it these run on: mail.\n",
		]);
		await bulkhead.type(mail, "busybox killall lighttpd");
		const reason = "http does not answer; dc, which it comes after, is stopped";
		await until("the silent service told", async () => (await bulkhead.show(mail)).reason === reason, 30_000);
		expect(await told(mail)).toContain(reason);
		expect(await bulkhead.show(mail)).toMatchObject({ state: "running", incidents: 0, session: before });
	});

	test("is recovered at once when it panics meanwhile", async () => {
		const before = await bulkhead.session(mail);
		await client.call("drill", { server: mail }, { fault: "panic" });
		await bulkhead.untilNext(mail, before.number);
		expect(await bulkhead.incident(`${mail}-${before.number}`)).toMatchObject({
			...{ cause: "panic", outcome: "recovered" },
		});
		expect(await text(port)).toContain(`session=${before.number + 1} `);
	});

	test("goes on waiting with the next daemon", async () => {
		await client.call("stop", { server: mail }, { deadlineMs: 0 });
		await bulkhead.until(mail, "stopped");
		await client.call("delete", { server: mail }, { destroyDisks: true });
		await client.call("start", { server: dc }, null);
		await bulkhead.until(dc, "running");
		await makeWhileTheOtherRestarts();
		await bulkhead.endDaemon("SIGKILL");
		await bulkhead.startDaemon();
		const { state, reason } = await bulkhead.show(mail);
		report("one that waited, as the next daemon has it", { state, reason });
		await startsAfterTheOther();
	});
});
