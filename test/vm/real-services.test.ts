import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { run } from "../../src/host/command.ts";
import type { FrontDoor } from "../../src/network/front-door/process.ts";
import type { Health } from "../../src/network/front-door/health.ts";
import { becomes, type Checked, Checks, unwell } from "./checks.ts";
import { recipes } from "./real-servers/recipes.ts";
import { debianRoot } from "./real-servers/root.ts";
import { RealServer } from "./real-servers/server.ts";

/** Checks of the catalogue and servers of Debian's packages: well, hung, well again, gone, well again. */
vi.setConfig({ testTimeout: 60_000, hookTimeout: 400_000 });
const watchMs = 6000;

/** Lines of its log that a server may write about one conversation: what the notes of the profiles say. */
const served: Record<string, { services: Record<string, number>; lines: number }> = {
	openssh: { services: { ssh: 22 }, lines: 1 },
	postfix: { services: { smtp: 25, submission: 587 }, lines: 2 },
	dovecot: { services: { imap: 143, imaps: 993 }, lines: 1 },
	xrdp: { services: { "remote-desktop": 3389 }, lines: 10 },
	nginx: { services: { iis: 80, https: 443, exchange: 443 }, lines: 1 },
	cups: { services: { print: 631 }, lines: 0 },
	openldap: { services: { ldap: 389, "active-directory": 389 }, lines: 6 },
	samba: { services: { smb: 445, "file-server": 445 }, lines: 0 },
	mariadb: { services: { mysql: 3306 }, lines: 1 },
	postgresql: { services: { postgresql: 5432 }, lines: 0 },
};
const checked: readonly Checked[] = Object.values(served).flatMap(({ services }) =>
	// The patience that some have with name servers is not what is tried here.
	Object.entries(services).map(([service, port]) => ({ name: service, service, port, times: { withinMs: 6000 } })),
);
const all = (health: Health) => Object.fromEntries(checked.map(({ name }): [string, Health] => [name, health]));
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
		const { services, lines } = served[server.recipe.name] ?? { services: {}, lines: 0 };
		const conversations = Object.keys(services).length * (Math.ceil(watchMs / 2000) + 1);
		const written = server.takeLines();
		expect.soft(written.length, written.join("\n")).toBeLessThanOrEqual(lines * conversations);
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
