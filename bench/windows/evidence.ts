import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { styleText } from "node:util";
import { BulkheadError } from "../../src/api/errors.ts";
import type { Site } from "../../src/api/site.ts";
import { screenshotPath } from "../../src/client/http.ts";
import { run } from "../../src/host/command.ts";
import { Lab, root, runBench } from "../lab.ts";
import { machineFacts } from "../recovery/facts.ts";
import type { Verdict } from "../recovery/judge.ts";
import { printVerdicts, verdictsForFile } from "../recovery/verdicts.ts";
import { writeResult } from "../result.ts";
import { type Asked, Repeating } from "./clients.ts";
import { type Crash, inText, outagesOf } from "./outages.ts";

/**
 * What Bulkhead does with a real Windows Server, for whoever has its installation medium: installs it unattended, crashes
 * it again and again by NMI and by its keyboard driver, restarts it under load, and packs a report with the raw logs.
 *
 * ISO=/srv/iso/server.iso DRIVERS=/srv/iso/virtio-win.iso GUEST=windows-server-2022 EDITION=1 (a number or a name)
 * LANGUAGE_OF_ISO=en-US CRASHES=20 MEMORY=4GiB INSTALL_MINUTES=180 (until it is given up)
 */

const server = "windows";
const password = "Evidence-4711";
const iso = process.env.ISO ?? "";
const drivers = process.env.DRIVERS ?? "";
const crashes = Number(process.env.CRASHES ?? "20");
const installsWithinMs = Number(process.env.INSTALL_MINUTES ?? "180") * 60_000;
const readyWithinMs = 30 * 60_000;
const folder = join(root, "out/windows-evidence");
const ports = { smb: 20_445, rdp: 23_389, sql: 21_433 } as const;

const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");

/** What the catalogue's health checks say (services/): negotiations, which any live server answers. */
async function clients(): Promise<Asked[]> {
	const said = async (profile: string) => {
		const text = await readFile(join(root, "services", `${profile}.yaml`), "utf8");
		return hex(/sendHex: "([0-9a-f ]+)"/.exec(text)?.[1] ?? "");
	};
	return [
		{ name: "smb", port: ports.smb, say: await said("smb"), answer: /^.{8}fe534d42/ },
		{ name: "rdp", port: ports.rdp, say: await said("remote-desktop"), answer: /^0300/ },
		{ name: "sql", port: ports.sql, say: await said("sql-server"), answer: /^04/ },
	];
}

/** A fresh Windows lets nobody in by SMB before a folder is shared. */
const share = { name: "Evidence", folder: "C:\\Evidence", read: ["Everyone"] };
const canShare = (guest: string) => /^windows-server-20(?!03)/.test(guest);

function siteOf(guest: string, passwordFile: string): Site {
	const publish = Object.entries({ smb: 445, rdp: 3389, sql: 1433 } as const).map(([name, port]) => ({
		service: `${name}-port`,
		protocol: "tcp" as const,
		port,
		to: "host" as const,
		listen: ports[name as keyof typeof ports],
		through: "front-door" as const,
	}));
	const edition = process.env.EDITION ?? "1";
	return {
		name: "evidence",
		segments: { lab: { subnet: "10.99.0.0/24" } },
		servers: {
			[server]: {
				guest: guest as NonNullable<Site["servers"]>[string]["guest"],
				install: {
					iso: resolve(iso),
					...(drivers ? { drivers: resolve(drivers) } : {}),
					answers: {
						computerName: "EVIDENCE",
						edition: /^\d+$/.test(edition) ? Number(edition) : edition,
						language: process.env.LANGUAGE_OF_ISO ?? "en-US",
						timeZone: "Etc/UTC",
						administrator: { passwordFile },
						remoteDesktop: true,
						crashKeys: true,
						...(canShare(guest) ? { roles: [{ role: "file-server" as const, shares: [share] }] } : {}),
					},
				},
				memory: process.env.MEMORY ?? "4GiB",
				cpus: 2,
				system: { size: "64GiB" },
				network: { segment: "lab", address: "10.99.0.10" },
				publish,
				recovery: { mode: "cold", budget: { attempts: 100, within: "1h" }, bootDeadline: "1h" },
			},
		},
	};
}

async function crash(
	lab: Lab,
	number: number,
	by: Crash["by"],
	load: readonly Repeating[],
	signal: AbortSignal,
): Promise<Crash> {
	const before = await lab.client.call("show", { server }, null);
	const from = performance.now();
	if (by === "restart") await lab.client.call("restart", { server }, { deadlineMs: 5 * 60_000 });
	else if (by === "nmi") await lab.client.call("drill", { server }, { fault: "panic" });
	else await lab.client.call("keys", { server }, { keys: ["ctrl_r-scroll_lock-scroll_lock"] });
	const next = ({ session }: typeof before) => (session?.number ?? 0) > (before.session?.number ?? 0);
	await lab.until(server, (view) => view.state === "running" && next(view), readyWithinMs, signal);
	await delay(5000, undefined, { signal });
	const to = performance.now();
	const found = (await lab.client.call("incidents", {}, null)).find(
		({ session }) => session === before.session?.number,
	);
	const felt = load.map((one) => ({ name: one.name, ...one.between(from, to) }));
	if (!found) return { number, by, incident: null, felt };
	const { id, cause, summary, details, outageMs } = found;
	return { number, by, incident: { id, cause, summary, details, outageMs }, felt };
}

async function install(lab: Lab, guest: string, signal: AbortSignal): Promise<number> {
	const began = performance.now();
	const passwordFile = join(lab.state, "password");
	await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
	await lab.apply(siteOf(guest, passwordFile));
	for (let minute = 0; ; minute++) {
		const { discs, state, reason } = await lab.client.call("show", { server }, null);
		if (discs.length === 0) return performance.now() - began;
		if (performance.now() - began > installsWithinMs)
			throw new Error(`it was not installed within ${installsWithinMs / 60_000} minutes; look at ${folder}`);
		console.log(`  ${minute} min  ${state} ${reason}`);
		await lab.client
			.bytes(screenshotPath(server))
			.then(
				async (screen) =>
					await writeFile(join(folder, `install-${String(minute).padStart(3, "0")}.png`), screen),
			)
			.catch((error) => console.log(`  no picture: ${String(error)}`));
		await delay(60_000, undefined, { signal });
	}
}

function verdictsOf(guest: string, all: readonly Crash[]): Verdict[] {
	const made = all.filter(({ by }) => by !== "restart");
	const judged = canShare(guest) ? ["smb", "rdp"] : ["rdp"];
	const every = (promise: string, kept: (one: Crash) => boolean, of: readonly Crash[] = made): Verdict => {
		const broken = of.filter((one) => !kept(one)).map(({ number }) => number);
		if (of.length === 0) return { promise, broken: undefined };
		return { promise, broken: broken.length === 0 ? null : `not at crash ${broken.join(", ")}` };
	};
	return [
		every(
			"each crash is an incident, and is known to be a crash",
			({ incident }) => incident?.cause === "panic",
		),
		every("its stop code is told", ({ incident }) => incident?.details["stop code"] !== undefined),
		every(
			`clients of ${judged.join(" and ")} are answered again`,
			({ felt }) => felt.every(({ name, asked, failed }) => !judged.includes(name) || asked > failed),
			all,
		),
	];
}

async function pack(lab: Lab): Promise<string> {
	await cp(join(lab.state, "servers", server, "incidents"), join(folder, "incidents"), { recursive: true });
	await cp(join(lab.state, "daemon.log"), join(folder, "daemon.log"));
	const events = await lab.client.call("events", {}, null);
	await writeFile(join(folder, "events.json"), JSON.stringify(events, null, "\t"));
	const archive = `${folder}.tar.gz`;
	await run("tar", ["-C", join(folder, ".."), "-czf", archive, "windows-evidence"], { deadlineMs: 600_000 });
	return archive;
}

if (iso === "") {
	console.error(
		"Name Microsoft's installation medium: make windows-evidence ISO=/srv/iso/server.iso DRIVERS=/srv/iso/virtio-win.iso GUEST=windows-server-2022",
	);
	process.exit(2);
}

const lab = new Lab("/var/lib/bulkhead-windows-evidence");
await runBench("windows-evidence", lab, async (signal) => {
	await mkdir(folder, { recursive: true });
	await rm(join(folder, "result.json"), { force: true });
	const read = await lab.client.call("windowsIso", {}, { path: resolve(iso) }).catch((error) => {
		if (!(error instanceof BulkheadError)) throw error;
		console.error(error.message);
	});
	if (!read) return false;
	const { version, editions } = read;
	const guest = process.env.GUEST ?? version ?? "";
	console.log(
		`${iso}: ${version ?? "a Windows that is not known"}; editions: ${editions.map(({ name }) => name).join(", ")}`,
	);
	const installedMs = await install(lab, guest, signal);
	console.log(`Installed after ${Math.round(installedMs / 60_000)} min`);
	const load = (await clients()).map((asked) => new Repeating(asked));
	const made: Crash[] = [];
	try {
		for (let number = 1; number <= crashes; number++) {
			const by = number % 2 === 1 ? "nmi" : "keyboard driver";
			made.push(await crash(lab, number, by, load, signal));
			console.log(`  crash ${number} of ${crashes}: ${made.at(-1)?.incident?.summary ?? "no incident"}`);
		}
		made.push(await crash(lab, crashes + 1, "restart", load, signal));
		console.log("  an ordinary restart under the same load");
	} finally {
		for (const one of load) await one.end();
	}
	const verdicts = verdictsOf(guest, made);
	const ok = printVerdicts(verdicts);
	const outages = outagesOf(made);
	const { accelerator } = await lab.client.call("status", {}, null);
	const machine = await machineFacts(accelerator);
	const result = {
		ok,
		guest,
		machine,
		installedMs,
		medianOutageMs: outages.medianMs,
		outages,
		crashes: made,
		verdicts: verdictsForFile(verdicts),
	};
	await writeFile(join(folder, "result.json"), JSON.stringify(result, null, "\t"));
	await writeResult("windows-evidence", result);
	console.log(`\n${inText(outages)}. Everything to send in: ${styleText("bold", await pack(lab))}`);
	return ok;
});
