import type { ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { appendFile, chown, mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { run } from "../../src/host/command.ts";
import type { Health } from "../../src/network/front-door/health.ts";
import { becomes, Checks, unwell } from "./checks.ts";

/** A real HAProxy and a namespace in which servers listen on its loopback: what the checks make of each. */
vi.setConfig({ testTimeout: 90_000, hookTimeout: 30_000 });
let checks: Checks;
let folder: string;

function inNamespace(command: readonly string[]): ChildProcess {
	const child = checks.inside(command);
	child.stderr?.resume();
	return child;
}

const postgres = await newestPostgres();

async function newestPostgres(): Promise<string | undefined> {
	const versions = await readdir("/usr/lib/postgresql").catch(() => []);
	const found = versions.map((version) => `/usr/lib/postgresql/${version}/bin`);
	return found.findLast((bin) => existsSync(join(bin, "initdb")));
}

async function startPostgres(bin: string, name: string, port: number, rule: string): Promise<void> {
	const data = join(folder, name);
	const user = ["--reuid", "postgres", "--regid", "postgres", "--clear-groups"];
	await mkdir(data);
	const { stdout } = await run("id", ["-u", "postgres"], { deadlineMs: 5000 });
	await chown(data, Number(stdout), -1);
	await run("setpriv", [...user, join(bin, "initdb"), "-N", "-A", "trust", "-D", data], {
		deadlineMs: 40_000,
	});
	await writeFile(join(data, "pg_hba.conf"), rule);
	await appendFile(
		join(data, "postgresql.conf"),
		`port = ${port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\n`,
	);
	inNamespace(["setpriv", ...user, join(bin, "postgres"), "-D", data]);
}

beforeAll(async () => {
	checks = await Checks.begin(`bhv${process.pid}`, 320_000 + (process.pid % 10_000));
	folder = checks.folder;
});

afterAll(() => checks.end());

test("what answers is well, and what is silent is down", async () => {
	const answers: Record<string, string[]> = {
		ssh: ["ssh", "ssh-warns", "ssh-full"],
		smtp: ["smtp", "smtp-late", "smtp-waits", "smtp-refuses"],
		imap: ["imap"],
		ldap: ["ldap", "ldap-long"],
		"active-directory": ["ldap-long"],
		smb: ["smb"],
		"file-server": ["smb"],
		kerberos: ["kerberos"],
		dns: ["dns"],
		mysql: ["mysql", "mysql-refuses"],
		"sql-server": [
			"sql-server",
			...["insists", "closes", "resets", "slow"].map((how) => `sql-server-${how}`),
		],
		"remote-desktop": [
			"remote-desktop",
			...["2003", "refuses", "slow"].map((how) => `remote-desktop-${how}`),
		],
		iis: ["iis", "iis-slow"],
	};
	const well = Object.entries(answers)
		.flatMap(([service, each]) => each.map((one) => ({ name: `${service}:${one}`, answers: one, service })))
		.map((one, i) => ({ ...one, port: 4001 + i }));
	const talkers = [
		...["https", "ssh", "smtp", "imap", "ldap", "smb", "kerberos", "dns", "mysql", "postgresql"],
		...[
			"active-directory",
			"exchange",
			"file-server",
			"iis",
			"print",
			"remote-desktop",
			"sql-server",
			"sql-server-strict",
		],
	];
	const ill = talkers.map((service, i) => ({
		...{ name: `${service}-silent`, answers: "silent", service, port: 4101 + i },
	}));
	ill.push({ name: "pg-starts", answers: "postgresql-starts", service: "postgresql", port: 4201 });
	ill.push({ name: "iis-stopped", answers: "iis-stopped", service: "iis", port: 4202 });
	const all = [...well, ...ill];
	const script = join(import.meta.dirname, "../../src/network/testing/services-stand-in.ts");
	const each = all.map(({ answers, port }) => `${answers}:${port}`);
	const standIn = inNamespace([process.execPath, script, ...each]);
	let said = "";
	standIn.stdout?.on("data", (text) => {
		said += text;
	});
	await vi.waitUntil(() => said.includes("ready"), { timeout: 10_000 });
	const door = await checks.openDoor(all);
	const names = well.map(({ name }) => name);
	const expected = all.map(({ name }): [string, Health] => [name, names.includes(name) ? "up" : "down"]);
	await becomes(door, Object.fromEntries(expected));
	expect(await unwell(door, names, 8000)).toEqual([]);
	expect(said).toContain("client that waits");
	expect(said).not.toContain("hasty");
});

test("a TLS server is well, whichever version it speaks, and when it answers with an alert", async () => {
	const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
	const make = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-keyout", key];
	await run("openssl", [...make, "-out", cert, "-days", "2"], { deadlineMs: 20_000 });
	const serve = (port: number, ...options: string[]) =>
		inNamespace(["openssl", "s_server", "-quiet", "-accept", `${port}`, ...options]);
	const pair = ["-key", key, "-cert", cert];
	serve(4301, ...pair, "-tls1_3");
	serve(4302, ...pair, "-tls1_2");
	// Nothing in common.
	serve(4303, "-nocert", "-tls1_2");
	const ports = [4301, 4302, 4303];
	const door = await checks.openDoor(ports.map((port) => ({ name: `tls-${port}`, service: "https", port })));
	const names = ports.map((port) => `tls-${port}`);
	await becomes(door, Object.fromEntries(names.map((name) => [name, "up"])));
	expect(await unwell(door, names, 3000)).toEqual([]);
});

test("a server that hangs is late long before it is down, and not when it goes on", async () => {
	const [key, cert] = [join(folder, "late-key.pem"), join(folder, "late-cert.pem")];
	const make = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-keyout", key];
	await run("openssl", [...make, "-out", cert, "-days", "2"], { deadlineMs: 20_000 });
	const server = inNamespace([
		"openssl",
		"s_server",
		"-quiet",
		"-accept",
		"4311",
		"-key",
		key,
		"-cert",
		cert,
	]);
	const times = { everyMs: 1000, withinMs: 60_000 };
	const door = await checks.openDoor([{ name: "tls", service: "https", port: 4311, times }]);
	await becomes(door, { tls: "up" });
	const isLate = async () => (await door.look()).answers.tls?.late;
	expect(await isLate()).toBe(false);
	server.kill("SIGSTOP");
	await vi.waitUntil(isLate, { timeout: 20_000, interval: 200 });
	const { health, answers } = await door.look();
	expect(health).toEqual({ tls: "up" });
	expect(answers.tls?.ageMs).toBeGreaterThan(2000);
	server.kill("SIGCONT");
	await vi.waitUntil(async () => (await isLate()) === false, { timeout: 20_000, interval: 200 });
});

test.skipIf(!postgres)("a PostgreSQL is well however it lets clients in", async () => {
	const rules = {
		asks: "host all all all scram-sha-256\n",
		trusts: "host all all all trust\n",
		refuses: "host all all 192.0.2.1/32 trust\n",
	};
	const names = Object.keys(rules);
	for (const [i, [name, rule]] of Object.entries(rules).entries())
		await startPostgres(postgres ?? "", name, 4401 + i, rule);
	const door = await checks.openDoor(
		names.map((name, i) => ({ name, service: "postgresql", port: 4401 + i })),
	);
	await becomes(door, Object.fromEntries(names.map((name) => [name, "up"])));
	expect(await unwell(door, names, 5000)).toEqual([]);
});
