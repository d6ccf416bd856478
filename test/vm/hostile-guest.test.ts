import { beforeAll, describe, expect, test } from "vitest";
import type { ServerDefinition, Site } from "../../src/api/site.ts";
import { run } from "../../src/host/command.ts";
import { type Counters, countersOf } from "../../src/network/counters.ts";
import { inside } from "../../src/network/namespace.ts";
import { outerNameOf } from "../../src/network/outbound/uplink.ts";
import { bridgeMacOf, macOf } from "../../src/network/plan.ts";
import { forgedFrames } from "../../src/network/testing/forged.ts";
import { sender } from "../../src/network/testing/frames.ts";
import { editDisk } from "./edit-disk.ts";
import { freePort, instanceForTests, tiny } from "./harness.ts";

/** A guest that has been taken over: a real Debian whose root tries whatever it likes. */
const bulkhead = instanceForTests();
const namespace = bulkhead.namespaceOf("hostile");
const port = { victim: 0, far: 0 };
const own = { segment: "lab", address: "10.93.0.10", address6: "fd00:93::10" };
const victim = { segment: "lab", address: "10.93.0.11", address6: "fd00:93::11" };
const far = { segment: "far", address: "10.94.0.10", address6: "fd00:94::10" };

function site(more: Partial<Record<"evil" | "victim" | "far", ServerDefinition>> = {}): Site {
	return {
		name: "hostile",
		segments: {
			lab: { subnet: "10.93.0.0/24", subnet6: "fd00:93::/64" },
			far: { subnet: "10.94.0.0/24", subnet6: "fd00:94::/64" },
		},
		servers: {
			evil: { template: "debian-web", network: own, publish: [], start: "manual", ...more.evil },
			victim: { ...tiny(victim.address, port.victim), network: victim, ...more.victim },
			far: { ...tiny(far.address, port.far), network: far, ...more.far },
		},
	};
}

/** Root without a password on the console, as an intruder has it. */
async function openConsole(disk: string): Promise<void> {
	const folder = "/etc/systemd/system/serial-getty@ttyS0.service.d";
	const login =
		"[Service]\nExecStart=\nExecStart=-/sbin/agetty --autologin root --keep-baud 115200 %I vt220\n";
	await editDisk(disk, { [`${folder}/open.conf`]: login }, { before: [`mkdir ${folder}`] });
}

/** @returns what a command in the guest wrote */
async function evil(command: string): Promise<string> {
	const said = await bulkhead.type("evil", command);
	if (said === undefined) throw new Error(`the guest did not finish: ${command}`);
	return said;
}

/** Tries TCP connections from the guest, all at the same time. @returns those that came about, as they were given */
async function reached(...targets: [address: string, port: number][]): Promise<string[]> {
	const list = targets.map(([address, number]) => `${address}/${number}`);
	const one = 'timeout 4 bash -c "exec 3<>/dev/tcp/$t" 2>/dev/null && echo REACHED-$t';
	const said = await evil(`for t in ${list.join(" ")}; do { ${one}; } & done; wait`);
	return list.filter((target) => said.replace(/echo REACHED/g, "").includes(`REACHED-${target}`));
}

async function grown(work: () => Promise<unknown>): Promise<(name: keyof Counters) => number> {
	const before = await countersOf(namespace);
	await work();
	const after = await countersOf(namespace);
	return (name) => after[name].packets - before[name].packets;
}

/** An address of the machine that this runs on. */
async function hostAddress(): Promise<string> {
	const { stdout } = await run("ip", ["-o", "-4", "addr", "show", "scope", "global"], { deadlineMs: 5000 });
	return /inet ([\d.]+)\//.exec(stdout)?.[1] ?? "127.0.0.1";
}

beforeAll(async () => {
	for (const name of ["victim", "far"] as const) port[name] = await freePort();
	await bulkhead.apply(site());
	await openConsole(bulkhead.paths.server("evil").disk("system"));
	await bulkhead.client.call("start", { server: "evil" }, null);
	for (const name of ["evil", "victim", "far"])
		await bulkhead.until(name, "running", ({ session }) => session?.readyAt !== null);
	await evil(`echo ${Buffer.from(sender).toString("base64")} | base64 -d > /run/send.pl`);
});

describe("a guest that has been taken over", () => {
	test("has what it needs: it reaches itself by both families, and its addresses are those of the plan", async () => {
		const both: [string, number][] = [
			[own.address, 80],
			[own.address6, 80],
		];
		expect(await reached(...both)).toEqual(both.map((target) => target.join("/")));
		const said = await evil("ip -o addr show scope global");
		expect(said).toContain(`${own.address}/24`);
		expect(said).toContain(`${own.address6}/64`);
	});

	test("reaches nobody, and each attempt is counted", async () => {
		const count = await grown(async () => {
			const beyond: [string, number][] = [
				[victim.address, 80],
				[victim.address6, 80],
				[far.address, 80],
				[far.address6, 80],
				[await hostAddress(), 22],
				["192.168.1.1", 80],
				["198.51.100.7", 443],
				["2001:db8::7", 443],
				["169.254.169.254", 80],
			];
			expect(await reached(...beyond)).toEqual([]);
		});
		expect(count("dropped_forward")).toBeGreaterThanOrEqual(9);
		const sandbox = await grown(async () => {
			const ends: [string, number][] = [
				["10.93.0.1", 22],
				["fd00:93::1", 22],
				["10.94.0.1", 22],
				["fe80::1%eth0", 22],
			];
			expect(await reached(...ends)).toEqual([]);
		});
		expect(sandbox("dropped_in")).toBeGreaterThanOrEqual(3);
	});

	test("sends nothing as somebody else, nor as router or DHCP server: every such frame is dropped and counted by kind", async () => {
		const forged = forgedFrames({
			own: { mac: macOf("hostile", "evil"), address: own.address, address6: own.address6 },
			other: { mac: macOf("hostile", "victim"), address: victim.address, address6: victim.address6 },
			sandbox: { mac: bridgeMacOf("hostile", "lab"), address: "10.93.0.1", address6: "fd00:93::1" },
		});
		const count = await grown(async () => {
			for (let at = 0; at < forged.length; at += 5) {
				const hex = forged.slice(at, at + 5).map(([, frame]) => frame.toString("hex"));
				const said = await evil(`perl /run/send.pl $(cat /sys/class/net/[!l]*/ifindex) ${hex.join(" ")}`);
				expect(said).toContain("DONE-0");
			}
		});
		const expected = new Map<keyof Counters, number>();
		for (const [, , counter] of forged) expected.set(counter, (expected.get(counter) ?? 0) + 1);
		for (const [counter, sent] of expected) expect(count(counter), counter).toBeGreaterThanOrEqual(sent);
		expect([...expected.values()].reduce((sum, sent) => sum + sent)).toBe(forged.length);
		expect(await bulkhead.client.call("sandbox", { server: "evil" }, null)).toMatchObject({
			neighbours: ["victim"],
		});
	});
});

describe("what is allowed while it runs", () => {
	const allow = [{ from: "evil", service: "http" }];

	test("is reached by both families, from its segment and another, and nothing else is", async () => {
		await bulkhead.apply(site({ victim: { allow }, far: { allow } }));
		const open: [string, number][] = [victim, far].flatMap(({ address, address6 }): [string, number][] => [
			[address, 80],
			[address6, 80],
		]);
		expect(await reached(...open, [victim.address, 81], [far.address6, 22])).toEqual(
			open.map((target) => target.join("/")),
		);
		const view = await bulkhead.client.call("sandbox", { server: "evil" }, null);
		expect(view.toServers.map(({ server, because }) => `${server}: ${because}`)).toEqual([
			"far: servers.far.allow[0]",
			"victim: servers.victim.allow[0]",
		]);
		expect((await bulkhead.command("sandbox", "victim")).stdout).toMatch(/evil +──▶ +│ http/);
	});

	test("and is closed again", async () => {
		await bulkhead.apply(site());
		expect(await reached([victim.address, 80], [victim.address6, 80], [far.address, 80])).toEqual([]);
	});
});

describe("a way out", () => {
	const hostHas = async (what: string) => {
		const [links, tables] = await Promise.all([
			run("ip", ["-o", "link"], { deadlineMs: 5000 }),
			run("nft", ["list", "tables"], { deadlineMs: 5000 }),
		]);
		return `${links.stdout}${tables.stdout}`.includes(what);
	};
	const outer = outerNameOf(namespace);
	const table = outer.replace("bhup-", "bulkhead_uplink_");

	test("does not lead to the host itself, and is told of", async () => {
		expect(await hostHas(outer)).toBe(false);
		await bulkhead.apply(site({ evil: { outbound: [{ to: "any", ports: [22, 443] }] } }));
		expect(await hostHas(outer)).toBe(true);
		expect(await reached([await hostAddress(), 22], [victim.address, 80])).toEqual([]);
		const counted = await run("nft", ["list", "counter", "inet", table, "to_host"], { deadlineMs: 5000 });
		expect(counted.stdout).toMatch(/packets [1-9]/);
		const { outbound } = await bulkhead.client.call("sandbox", { server: "evil" }, null);
		expect(outbound.ways).toMatchObject([{ to: "any", because: "servers.evil.outbound[0]" }]);
		expect(outbound.ways[0]?.passed?.packets).toBeGreaterThan(0);
	});

	test("outlives a daemon that is killed, and is whole for the next one", async () => {
		const card = async () =>
			(await run("ip", ["-o", "link", "show", outer], { deadlineMs: 5000 })).stdout.split(":")[0];
		// Of the server that the next daemon takes on last.
		await bulkhead.apply(site({ victim: { outbound: "allow" } }));
		const before = await card();
		await bulkhead.endDaemon("SIGKILL");
		await bulkhead.startDaemon();
		expect(await card()).toBe(before);
		expect(await inside(namespace, ["ip", "route", "show", "default"])).toContain("dev uplink");
	});

	test("is gone with its rule, and with the last server", async () => {
		await bulkhead.apply(site());
		expect(await hostHas(outer)).toBe(false);
		expect(await hostHas(table)).toBe(false);
		await bulkhead.apply(site({ evil: { outbound: "allow" } }));
		expect(await hostHas(table)).toBe(true);
		for (const name of ["evil", "victim", "far"])
			await bulkhead.client.call("stop", { server: name }, { deadlineMs: 0 });
		for (const name of ["evil", "victim", "far"]) {
			await bulkhead.until(name, "stopped");
			await bulkhead.client.call("delete", { server: name }, { destroyDisks: true });
		}
		await bulkhead.apply({ name: "empty" });
		expect(await hostHas(outer)).toBe(false);
		expect(await hostHas(table)).toBe(false);
	});
});
