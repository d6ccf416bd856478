import { expect, test } from "vitest";
import type { Site } from "../api/site.ts";
import { addedProblems } from "./publishing.ts";

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
