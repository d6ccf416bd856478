import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { DomainView } from "../../src/api/domain.ts";
import type { ServerDefinition, Site } from "../../src/api/site.ts";
import { ensureBuilt } from "../../src/templates/build.ts";
import { readTemplate } from "../../src/templates/catalogue.ts";
import { Lab } from "../lab.ts";
import { installFor } from "../packages.ts";
import { DomainClient } from "./client.ts";
import { HostFiles } from "./host-files.ts";
import { type AsHost, amongMembersFiles, bulkhead, Desk, isConnected, logon } from "./member.ts";
import { lan, Places } from "./places.ts";

const launcher = join(fileURLToPath(new URL("../..", import.meta.url)), "bin/bulkhead");
const cache = process.env.BULKHEAD_CACHE ?? "/var/cache/bulkhead";
const runsWithinMs = 300_000;
const onlineWithinMs = 60_000;

export type Controller = keyof typeof lan.controllers;
export const realm = "ad.example.com";
export const workgroup = "AD";
export const alice = { name: "alice", password: "Al1ce-Passw0rd" };
const password = "Passw0rd-Adm1n";

/** A domain whose controllers are servers of Bulkhead, on a host that is a member of it, as is a desk on the LAN. */
export interface World {
	lab: Lab;
	controllers: readonly Controller[];
	/** Somebody on the host, and somebody at the desk. */
	admin: DomainClient;
	user: DomainClient;
	desk: Desk;
	/** Of the host's membership. */
	folder: string;
	asHost: AsHost;
	/** The host's own, where users of the domain log in to it. */
	files: HostFiles | null;
}

interface Wanted {
	/** Name of the state directory. */
	name: string;
	controllers: readonly Controller[];
	/** Failures that are made on purpose. */
	drills: number;
	/** Whether users of the domain log in to the host, by SSH. */
	logins?: boolean;
}

export async function told<T>(text: string, work: () => Promise<T>): Promise<T> {
	const from = performance.now();
	const result = await work();
	console.log(`  ${`${((performance.now() - from) / 1000).toFixed(1)} s`.padStart(8)}  ${text}`);
	return result;
}

/** The site: what lets controllers reach each other is there when there are several. */
export function siteOf({ name, controllers, drills }: Wanted, to: "host" | "lan"): Site {
	const server = (own: Controller): ServerDefinition => ({
		template: "debian-domain-controller",
		data: [{ name: "domain", size: "512MiB" }],
		network: { segment: "office", address: lan.controllers[own] },
		allow: controllers
			.filter((other) => other !== own)
			.map((from) => ({ from, service: "active-directory" })),
		publish: [{ service: "active-directory", to }],
		recovery: { mode: "warm", budget: { attempts: drills + 5, within: "3h" } },
	});
	return {
		name,
		segments: { office: { subnet: lan.subnet, lan: lan.interface, gateway: lan.router } },
		servers: Object.fromEntries(controllers.map((own) => [own, server(own)])),
	};
}

/** Makes all of that, each step told with its time, has something done in it, and takes it away again. */
export async function inWorld(
	wanted: Wanted,
	signal: AbortSignal,
	play: (world: World) => Promise<boolean>,
): Promise<boolean> {
	await installFor(["/usr/sbin/winbindd", "/usr/bin/net", "/usr/bin/smbcontrol"], ["winbind", "samba"]);
	// Here, as the host of the story reaches no package mirror.
	const template = await readTemplate("debian-domain-controller");
	await told(
		"the template is there (it is built the first time)",
		async () => await ensureBuilt(template, { cache, onStep: () => {}, signal }),
	);
	await using places = await Places.make();
	const lab = new Lab(`/var/lib/bulkhead-${wanted.name}`, places.host);
	const scratch = await mkdtemp(join(tmpdir(), "bulkhead-world-"));
	const domain = {
		...{ realm, password },
		controllers: wanted.controllers.map((name) => lan.controllers[name]),
	};
	// Gone after the daemon, which is among them.
	await using files = wanted.logins ? await filesFor(lab, places, signal) : null;
	await using admin = await DomainClient.open(domain, places.host);
	await using user = await DomainClient.open(domain, places.desk);
	try {
		await lab.startDaemon();
		const desk = new Desk(user, "DESK1", join(scratch, "keytab"));
		const { controllers } = wanted;
		const folder = join(lab.state, "domain");
		const asHost: AsHost = files ? (words, until) => files.run(words, until) : amongMembersFiles(folder);
		const world = { lab, controllers, admin, user, desk, folder, asHost, files };
		await begin(world, wanted, signal);
		return await play(world);
	} finally {
		await lab.dispose();
		await rm(scratch, { recursive: true, force: true });
	}
}

async function filesFor(lab: Lab, places: Places, signal: AbortSignal): Promise<HostFiles> {
	// What the daemon keeps there is looked at from outside, too.
	await mkdir(lab.state, { recursive: true, mode: 0o755 });
	const files = await HostFiles.make(places, [lab.state, cache], signal);
	lab.files = files.pid;
	return files;
}

/** Runs `bulkhead …` as a person on the host would. @returns what it wrote. @throws CommandError */
export async function command(
	{ lab }: World,
	words: readonly string[],
	signal: AbortSignal,
	input = "",
): Promise<string> {
	return await bulkhead(launcher, lab.state, words, { input, signal });
}

async function begin(world: World, wanted: Wanted, signal: AbortSignal): Promise<void> {
	const { lab, controllers, admin, desk, asHost, files } = world;
	const secret = ["--password-file", "-"];
	const several = controllers.length > 1;
	await told(
		several ? "the servers are made" : "the server is made",
		async () => await lab.apply(siteOf(wanted, "host")),
	);
	await told(
		`the domain ${realm} is made on ${several ? "them" : "it"}`,
		async () =>
			await command(
				world,
				["domain", "create", ...controllers, "--realm", realm, ...secret],
				signal,
				password,
			),
	);
	await told(
		several ? "they start, cold" : "it starts, cold",
		async () => await lab.allRun(runsWithinMs, signal),
	);
	const addresses = controllers.map((name) => lan.controllers[name]);
	if (files)
		await told("what the domain's users log in by is installed, for the story's host alone", async () => {
			await files.installed(signal);
			files.startSshd();
		});
	const logins = files ? ["--logins"] : [];
	await told(
		"let out to this host only, which joins the domain",
		async () =>
			await command(
				world,
				["domain", "join", realm, "--controller", ...addresses, "--name", "host1", ...logins, ...secret],
				signal,
				password,
			),
	);
	await told("alice is added, and logs in to the host", async () => {
		await command(world, ["domain", "user", "add", alice.name, ...secret], signal, alice.password);
		await untilOnline(world, signal);
		const { ok } = await logon(asHost, workgroup, alice.name, alice.password);
		if (!ok) throw new Error("alice could not log in");
		await admin.kinit(alice.name, alice.password);
	});
	await told("let out to the LAN, where a desk joins the domain", async () => {
		await lab.apply(siteOf(wanted, "lan"));
		await desk.join();
		if (!(await desk.isMember())) throw new Error("the desk is no member");
	});
}

/** Makes a controller's kernel panic. @returns when that was, in milliseconds of this process; it is known here a little later */
export async function panicOf(server: Controller, { lab }: World): Promise<number> {
	const { at } = await lab.client.call("drill", { server }, { fault: "panic" });
	return performance.now() - (Date.now() - at);
}

/** The host is online in its domain, which believes it. */
export async function untilOnline({ lab }: World, signal: AbortSignal): Promise<DomainView> {
	const end = performance.now() + onlineWithinMs;
	for (;;) {
		const { domain } = await lab.client.call("domain", {}, null, { signal, deadlineMs: 60_000 });
		if (domain?.state === "online" && domain.trusted) return domain;
		if (performance.now() > end)
			throw new Error(`the host is not back in its domain: ${JSON.stringify(domain)}`);
		await delay(500, undefined, { signal });
	}
}

/** winbindd is with a controller again; asked of winbindd itself, which costs the controller nothing. */
export async function untilConnected({ asHost }: World, signal: AbortSignal): Promise<void> {
	const end = performance.now() + onlineWithinMs;
	while (!(await isConnected(asHost, workgroup, signal))) {
		if (performance.now() > end) throw new Error("the host's winbindd is not back with its controller");
		await delay(100, undefined, { signal });
	}
}
