import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { run } from "../../src/host/command.ts";
import type { Health } from "../../src/network/front-door/health.ts";
import type { FrontDoor } from "../../src/network/front-door/process.ts";
import { profileOf } from "../../src/network/services.ts";
import { becomes, type Checked, Checks, unwell } from "./checks.ts";
import { recipes } from "./real-servers/recipes.ts";
import { debianRoot } from "./real-servers/root.ts";
import { RealServer } from "./real-servers/server.ts";

/** Checks of the catalogue and servers of Debian's packages: well, hung, well again, gone, well again. */
vi.setConfig({ testTimeout: 60_000, hookTimeout: 400_000 });
const watchMs = 8000;

/** By server: its services, and how many lines of its log each conversation may cost, as the profiles' notes say. */
const served: Record<string, Record<string, { port: number; lines: number }>> = {
	openssh: { ssh: { port: 22, lines: 1 } },
	postfix: {
		smtp: { port: 25, lines: 2 },
		submission: { port: 587, lines: 2 },
		submissions: { port: 465, lines: 4 },
	},
	dovecot: { imap: { port: 143, lines: 1 }, imaps: { port: 993, lines: 1 } },
	xrdp: { "remote-desktop": { port: 3389, lines: 12 } },
	nginx: {
		iis: { port: 80, lines: 1 },
		https: { port: 443, lines: 0 },
		exchange: { port: 443, lines: 0 },
		// What a TLS server makes of it is what SQL Server with strict encryption is said to do.
		"sql-server-strict": { port: 443, lines: 0 },
	},
	cups: { print: { port: 631, lines: 0 } },
	openldap: {
		ldap: { port: 389, lines: 5 },
		"active-directory": { port: 389, lines: 5 },
		ldaps: { port: 636, lines: 2 },
	},
	samba: { smb: { port: 445, lines: 0 } },
	"samba-strict": { "file-server": { port: 446, lines: 0 } },
	mariadb: { mysql: { port: 3306, lines: 1 } },
	postgresql: { postgresql: { port: 5432, lines: 0 } },
};
const checked: readonly Checked[] = Object.values(served).flatMap((services) =>
	Object.entries(services).map(([service, { port }]) => ({
		...{ name: service, service, port },
		// The patience that some have with name servers is not what is tried here.
		times: { withinMs: 6000 },
	})),
);
const all = (health: Health) =>
	Object.fromEntries(checked.map(({ name }): [string, Health] => [name, health]));
/** The most lines that a server may write meanwhile. */
const linesOf = (server: string) =>
	Object.entries(served[server] ?? {}).reduce(
		(sum, [service, { lines }]) =>
			sum + lines * (Math.ceil(watchMs / (profileOf(service)?.everyMs ?? 2000)) + 1),
		0,
	);
let checks: Checks;
let servers: RealServer[];
let door: FrontDoor;

beforeAll(async () => {
	const root = await debianRoot();
	checks = await Checks.begin(`bhr${process.pid}`, 330_000 + (process.pid % 10_000));
	const free = "echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start";
	await run("ip", ["netns", "exec", checks.namespace, "sh", "-c", free], { deadlineMs: 5000 });
	servers = recipes.map((recipe) => new RealServer(recipe, root, checks.folder, checks.namespace));
	await Promise.all(servers.map((server) => server.prepare()));
	for (const server of servers) server.start();
	door = await checks.openDoor(checked);
});

afterAll(async () => {
	for (const server of servers ?? []) await server.end();
	await checks?.end();
});

test("real servers are well, stay so, and do not drown in their logs", async () => {
	await becomes(door, all("up"));
	// What they write about their start.
	await delay(1000);
	for (const server of servers) server.takeLines();
	expect(await unwell(door, Object.keys(all("up")), watchMs)).toEqual([]);
	for (const server of servers) {
		const written = server.takeLines();
		expect.soft(written.length, written.join("\n")).toBeLessThanOrEqual(linesOf(server.recipe.name));
	}
});

test("servers that hang are down, and well when they go on", async () => {
	for (const server of servers) server.stop();
	await becomes(door, all("down"));
	for (const server of servers) server.go();
	await becomes(door, all("up"));
});

test("servers that are gone are down, and well when they are started again", async () => {
	await Promise.all(servers.map((server) => server.end()));
	await becomes(door, all("down"));
	for (const server of servers) server.start();
	await becomes(door, all("up"));
});
