import { expect, test } from "vitest";
import type { PublishDefinition } from "../api/site.ts";
import { servicesOf } from "./resolve.ts";

type Known = Parameters<typeof servicesOf>[1];
const planOf = (publish: Omit<PublishDefinition, "to">, known: Known = {}) =>
	servicesOf({ publish: [{ ...publish, to: "host" }] }, known)[0];

test("the site comes first, then the template, then the catalogue", () => {
	const known: Known = { http: { port: 8080, protocol: "http", healthPath: "/healthz", rehearse: [] } };
	expect(planOf({ service: "http" })).toMatchObject({ port: 80, health: { path: "/" } });
	expect(planOf({ service: "http" }, known)).toMatchObject({ port: 8080, health: { path: "/healthz" } });
	expect(planOf({ service: "http", port: 81 }, known)).toMatchObject({ port: 81 });
});

test("a check of the catalogue is used where the service is treated as the catalogue says", () => {
	const speaks = { everyMs: 2000, withinMs: 8000, rules: expect.any(Array) };
	expect(planOf({ service: "ssh", port: 2222 })).toMatchObject({ port: 2222, health: speaks });
	expect(planOf({ service: "remote-desktop", health: "connect" })).toMatchObject({ health: null });
	expect(planOf({ service: "http", health: "connect" })).toMatchObject({ health: null });
	expect(planOf({ service: "http", protocol: "tcp" })).toMatchObject({ health: null });
	expect(planOf({ service: "https", protocol: "http" })).toMatchObject({ health: { path: "/" } });
	expect(planOf({ service: "own", port: 4711 })).toMatchObject({ health: null });
	const known: Known = { https: { port: 443, protocol: "tcp", healthPath: null, rehearse: [] } };
	expect(planOf({ service: "https" }, known)).toMatchObject({ health: { everyMs: 400 } });
});

test("a service that is asked less often than others is not asked more often when it is only connected to", () => {
	const alone = { everyMs: 2000, rules: [] };
	expect(planOf({ service: "ssh", health: "connect" })).toMatchObject({ health: alone });
	expect(planOf({ service: "https", health: "connect" })).toMatchObject({
		health: { everyMs: 400, rules: [] },
	});
	expect(planOf({ service: "ssh", protocol: "http", health: "connect" })).toMatchObject({ health: null });
});
