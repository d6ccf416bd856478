import { expect, test } from "vitest";
import type { PublishDefinition, Site } from "../api/site.ts";
import type { StoredServer } from "../store/servers.ts";
import { addedProblems, indexOf } from "./publishing.ts";

test("a service can be published although a server is still named that was deleted by hand", () => {
	const mail = { template: "tiny", after: ["dc1"], network: { segment: "office", address: "10.77.0.10" } };
	const site = (publish: NonNullable<Site["servers"]>[string]["publish"]): Site => ({
		name: "home",
		segments: { office: { subnet: "10.77.0.0/24" } },
		servers: { mail: { ...mail, publish } },
	});
	const before = site([]);
	expect(addedProblems(before, site([{ service: "http", to: "host", listen: 8080 }]))).toEqual([]);
	const twice = site([
		{ service: "http", to: "host", listen: 8080 },
		{ service: "smtp", to: "host", listen: 8080 },
	]);
	expect(addedProblems(before, twice).map(({ path }) => path.slice(0, 3))).toEqual([
		["servers", "mail", "publish"],
	]);
});

test("who means one of several services of one name is told how to say which", () => {
	const publishing = (...publish: PublishDefinition[]) =>
		({
			...{ name: "db", lan: null, installed: { services: {} } },
			definition: { network: { segment: "office", address: "10.77.0.10" }, publish },
		}) as unknown as StoredServer;
	const app = { service: "app", to: "host" } as const;
	const doors = publishing({ ...app, port: 9000 }, { ...app, port: 9000, listen: 9001 });
	expect(indexOf(doors, { service: "app", listen: 9001 })).toBe(1);
	expect(() => indexOf(doors, { service: "app" })).toThrow(
		/and app on port 9001 .*; say which: --listen 9000/,
	);
	const address = { ...app, through: "address" } as const;
	const own = publishing({ ...address, port: 9000 }, { ...address, port: 9001 });
	expect(() => indexOf(own, { service: "app" })).toThrow(
		/own address \(tcp 9000\) and .*\(tcp 9001\); take one out of the site file, and apply that$/,
	);
});
