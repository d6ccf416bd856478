import { beforeAll, expect, test } from "vitest";
import { freePort, instanceForTests, text, tiny } from "./harness.ts";

/** A request that brings its server down must not do so to every session after it. */
const bulkhead = instanceForTests();
const server = "t1";
let port: number;

beforeAll(async () => {
	port = await freePort();
	await bulkhead.apply({
		name: "replay",
		segments: { lab: { subnet: "10.92.0.0/24" } },
		servers: { [server]: tiny("10.92.0.10", port) },
	});
});

test("a GET that makes the guest panic is asked again once, and then refused", async () => {
	await bulkhead.until(server, "running");
	const answer = fetch(`http://127.0.0.1:${port}/cgi-bin/panic`).then(
		({ status }) => status,
		() => "closed",
	);
	const session = await bulkhead.untilNext(server, 2);
	expect(session.number).toBe(3);
	expect(await answer).not.toBe(200);
	expect(await text(port)).toMatch(/^server=t1 session=3 /);
	const causes = (await bulkhead.incidents(server)).map(({ id, cause }) => `${id} ${cause}`);
	expect(causes.toSorted()).toEqual(["t1-1 panic", "t1-2 panic"]);
});
