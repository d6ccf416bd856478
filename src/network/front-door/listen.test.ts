import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { expect, test } from "vitest";
import { doorPlan } from "../testing/door-plan.ts";
import { listenAll, portIsFree } from "./listen.ts";

test("no turn of the event loop passes until all listen", async () => {
	let turned = false;
	setImmediate(() => {
		turned = true;
	});
	const services = doorPlan.services.map((service) => ({ ...service, listen: 0 }));
	const listeners = await listenAll({ ...doorPlan, services });
	const turnedMeanwhile = turned;
	listeners.close();
	expect(turnedMeanwhile).toBe(false);
	expect(new Set(listeners.descriptors).size).toBe(2);
});

test("a port that another program holds is named with its server, its service and the mend", async () => {
	const other = createServer().listen(0, "127.0.0.1");
	await once(other, "listening");
	const { port } = other.address() as AddressInfo;
	try {
		expect(await portIsFree("host", port)).toBe(false);
		expect(await portIsFree("lan", port)).toBe(false);
		const services = doorPlan.services.map((s, i) => ({
			...s,
			listen: i === 0 ? 0 : port,
			to: "host" as const,
		}));
		const failure = await listenAll({ ...doorPlan, services }).catch((error: unknown) => error);
		expect(failure).toMatchObject({ name: "BulkheadError", code: "port-in-use" });
		expect(String(failure)).toMatch(
			new RegExp(`intranet cannot publish sql: port ${port} .*choose another \`listen:\``),
		);
	} finally {
		other.close();
	}
	await once(other, "close");
	expect(await portIsFree("host", port)).toBe(true);
});
