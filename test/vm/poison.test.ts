import { setTimeout as delay } from "node:timers/promises";
import { beforeAll, expect, test } from "vitest";
import { freePort, get, instanceForTests, tiny, until } from "./harness.ts";

const bulkhead = instanceForTests();
let port = 0;
beforeAll(async () => {
	port = await freePort();
	await bulkhead.apply({
		name: "poi",
		segments: { lab: { subnet: "10.96.0.0/24" } },
		servers: { t1: tiny("10.96.0.10", port) },
	});
	await bulkhead.until("t1", "running");
});
test("poison", async () => {
	const g = get(port, "/cgi-bin/panic").then(
		(a) => console.log("GET", a),
		(e) => console.log("GET", String(e)),
	);
	await delay(60_000);
	console.log(
		JSON.stringify(
			(await bulkhead.events()).map((e) => `${e.at} ${e.text}`),
			null,
			1,
		),
	);
	console.log(await bulkhead.show("t1"));
});
