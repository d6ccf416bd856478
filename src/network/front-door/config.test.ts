import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { DoorPlan, ServicePlan } from "../plan.ts";
import { doorPlan } from "../testing/door-plan.ts";
import { configOf } from "./config.ts";
import { listenAll } from "./listen.ts";

const [http, sql] = doorPlan.services as [ServicePlan, ServicePlan];

test("the configuration of a web and an SQL service", async () => {
	await expect(configOf(doorPlan)).toMatchFileSnapshot("../goldens/haproxy.cfg");
});

test("where a service listens and how long it holds are part of the text", () => {
	const texts = [
		doorPlan,
		withService({ ...http, to: "host" }),
		withService({ ...http, listen: 8081 }),
		withService({ ...http, holdMs: 61_000 }),
	].map(configOf);
	expect(new Set(texts).size).toBe(texts.length);
});

test("a check in the service's own protocol", async () => {
	const pace = { everyMs: 2000, withinMs: 8000 };
	const rules = ["tcp-check expect rbinary '^(5353482D)'", "tcp-check send-binary 0D0A"];
	const talks = withService({ ...sql, service: "ssh", listen: 2222, health: { ...pace, rules } });
	await expect(configOf(talks)).toMatchFileSnapshot("../goldens/haproxy-talks.cfg");
	expect(configOf(withService({ ...sql, health: { ...pace, rules: [] } }))).toMatch(
		/option tcp-check\n\ttcp-check connect linger\n\tserver guest \S+ source \S+ check inter 2000ms/,
	);
	// To HAProxy one that hangs up is down: it is not asked more often for that.
	const hangsUp = { ...pace, rules: [], hangUp: "well" } as const;
	expect(configOf(withService({ ...sql, health: hangsUp }))).toContain(
		"inter 2000ms fastinter 1000ms downinter 2000ms",
	);
	const wrong = { ...pace, rules: ["tcp-check connect\nglobal"] };
	expect(() => configOf(withService({ ...sql, health: wrong }))).toThrow("not a rule of a health check");
});

test.each(["", "healthz", "/a b", "/a'b", '/a"b', "/a\nglobal", "/a\\"])(
	"refuses %j as a health path",
	(path) => {
		expect(() => configOf(withService({ ...http, health: { path } }))).toThrow(/write it as \/healthz/);
	},
);

test.skipIf(!existsSync("/usr/sbin/haproxy"))("HAProxy takes it without a warning", async () => {
	const folder = mkdtempSync(join(tmpdir(), "bulkhead-config-"));
	const listeners = await listenAll({
		...doorPlan,
		services: doorPlan.services.map((service) => ({ ...service, to: "host", listen: 0 })),
	});
	try {
		writeFileSync(join(folder, "haproxy.cfg"), configOf(doorPlan));
		const { status, stdout, stderr } = spawnSync(
			"/usr/sbin/haproxy",
			["-c", "-f", join(folder, "haproxy.cfg")],
			{
				stdio: ["ignore", "pipe", "pipe", "ignore", ...listeners.descriptors],
				encoding: "utf8",
				timeout: 10_000,
			},
		);
		expect(`${stdout}${stderr}`).toBe("Configuration file is valid\n");
		expect(status).toBe(0);
	} finally {
		listeners.close();
		rmSync(folder, { recursive: true });
	}
});

test.each([
	["v1", "send-proxy"],
	["v2", "send-proxy-v2"],
] as const)(
	"a service that is told its clients by the PROXY protocol %s is told by its health check too",
	(proxy, option) => {
		const lines = configOf({ ...doorPlan, services: [{ ...sql, proxy }] }).split("\n");
		expect(lines.filter((line) => line.includes(`:${sql.port} `))).toEqual([
			`\tserver guest 10.77.0.20:1433 ${option} disabled`,
			expect.stringMatching(new RegExp(`check .* ${option} check-send-proxy$`)),
		]);
	},
);

function withService(service: ServicePlan): DoorPlan {
	return { ...doorPlan, services: [service, sql] };
}
