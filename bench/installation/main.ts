import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { styleText } from "node:util";
import { paths } from "../../src/store/paths.ts";
import { miniIso } from "../../test/isos/mini-iso.ts";
import { Lab, runPlain } from "../lab.ts";
import { installFor } from "../packages.ts";
import { isPrepared } from "../recovery/bulkhead.ts";
import { machineFacts } from "../recovery/facts.ts";
import { printVerdicts, verdictsForFile } from "../recovery/verdicts.ts";
import { writeResult } from "../result.ts";
import { preseed } from "./answers.ts";
import { Apt } from "./apt.ts";
import { Guest, newKey, nobodysPassword } from "./guest.ts";
import { type Step, Watcher } from "./installer.ts";
import { listedUdebs, makeInstallerSuite } from "./installer-packages.ts";
import { hostMirror, type Mirror } from "./mirror.ts";
import { netboot } from "./netboot.ts";
import { panics } from "./panics.ts";
import { cable, host, inPlace, makePlaces } from "./places.ts";
import { AptProxy } from "./proxy.ts";
import { installationState, removeAll, scratch } from "./remains.ts";
import { type Found, table, verdictsOf } from "./report.ts";
import { sites } from "./sites.ts";

/**
 * A Debian that is installed by its own installer, from an ISO image, onto the empty disk of a server; then it fails, and
 * recovers cold; then it is prepared for warm recovery, and another server is made of a copy of its disk, which recovers
 * warm. Ends with 1 when a promise is broken. COLD=1 and WARM=3 say how many panics; DISK=FILE begins with the disk of an
 * earlier installation, and KEY=FILE with its key; KEEP=1 leaves it running. Everything else is removed, also on Ctrl-C.
 */
const root = fileURLToPath(new URL("../..", import.meta.url));
const bulkhead = join(root, "bin/bulkhead");
const out = join(root, "out/installation");
const counts = { cold: Number(process.env.COLD ?? "1"), warm: Number(process.env.WARM ?? "3") };
const { DISK: disk, KEY: oldKey } = process.env;
const keep = process.env.KEEP === "1";
const bootsWithinMs = 900_000;
const page = "<h1>Installed by its own installer</h1>";

/** Runs the command line as a user would, in view. */
async function cli(signal: AbortSignal, ...args: string[]): Promise<void> {
	console.log(styleText("dim", `$ bulkhead ${args.join(" ")}`));
	const env = { ...process.env, BULKHEAD_STATE: installationState };
	const child = spawn(bulkhead, args, { stdio: ["ignore", "inherit", "inherit"], env, signal });
	const { promise, resolve, reject } = Promise.withResolvers<number | null>();
	child.once("error", reject);
	child.once("exit", resolve);
	const code = await promise;
	if (code !== 0) throw new Error(`bulkhead ${args.join(" ")} ended with code ${code}`);
}

async function apply(site: string, signal: AbortSignal): Promise<void> {
	const file = join(out, "site.yaml");
	await writeFile(file, site);
	await cli(signal, "apply", "--yes", file);
}

function heading(text: string): void {
	console.log(`\n${styleText("bold", text)}`);
}

/** The installation medium with its answers, and the proxy that its packages come by. */
async function makeMedium(
	{ mirror, iso, sshKey }: { mirror: Mirror; iso: string; sshKey: string },
	signal: AbortSignal,
): Promise<AptProxy> {
	const folder = async (name: string) => {
		await mkdir(join(scratch, name), { recursive: true });
		return join(scratch, name);
	};
	const apt = await Apt.open(mirror, await folder("apt"), signal);
	const work = await folder("work");
	const listed = await listedUdebs(apt, mirror, work, signal);
	const modules = new Map(listed.map(({ name, fields }) => [name, fields.get("Filename") ?? ""]));
	const installer = await netboot(apt, modules, work, signal);
	console.log(`  Debian's installer ${installer.version}, Linux ${installer.kernel}`);
	const packages = await folder("suite");
	const key = await makeInstallerSuite({ apt, listed, netboot: installer }, packages, signal);
	const proxy = await AptProxy.start(mirror, packages, await folder("proxy"));
	const answers = preseed({
		...{ hostname: "web", mirror, proxy: proxy.url, sshKey, page },
		passwordHash: await nobodysPassword(),
		// Without D-Bus nobody hears the power button.
		packages: ["openssh-server", "nginx-light", "qemu-guest-agent", "dbus"],
	});
	await writeFile(join(out, "preseed.cfg"), answers);
	const { path, bytes } = installer.keyring;
	await miniIso(iso, {
		tree: installer.tree,
		preseed: answers,
		files: { [path]: Buffer.concat([bytes, key]) },
	});
	await chmod(iso, 0o644);
	return proxy;
}

/** From an empty disk to the first page. @returns the steps that it took */
async function install(
	lab: Lab,
	iso: string,
	signal: AbortSignal,
): Promise<{ steps: Step[]; seconds: number }> {
	heading("2. The installation");
	const began = performance.now();
	await apply(sites.installing(iso), signal);
	await using watcher = new Watcher(lab, "web", out, began);
	await watcher.listen(signal);
	await watcher.menu(signal);
	// As a person would: Escape leaves the menu for its prompt, which takes the name of an entry.
	await cli(signal, "keys", "web", "esc");
	await cli(signal, "keys", "web", "--text", "auto", "ret");
	await watcher.installed(signal);
	await watcher.step("the installed system answers");
	const seconds = Math.round((performance.now() - began) / 1000);
	await cli(signal, "eject", "web");
	return { steps: watcher.steps, seconds };
}

/** A server that exists already is looked at again from the copy of its disk. */
async function begin(lab: Lab, iso: string, sshKey: string, signal: AbortSignal) {
	if (disk !== undefined) {
		heading("2. From the disk of an earlier installation");
		await apply(sites.fromDisk(disk), signal);
		await lab.until("web", ({ state }) => state === "running", bootsWithinMs, signal);
		return undefined;
	}
	heading("1. The medium");
	await using _proxy = await makeMedium({ mirror: await hostMirror(), iso, sshKey }, signal);
	const result = await install(lab, iso, signal);
	const guest = new Guest(sites.ports.ssh, join(scratch, "key"));
	const reach = async (address: string) =>
		(
			await guest.sh(
				`timeout 5 bash -c ': < /dev/tcp/${address}/${cable.proxyPort}' 2> /dev/null && echo yes || echo no`,
				signal,
			)
		).trim() === "yes";
	const reached = { proxy: await reach(cable.proxy), other: await reach(cable.closed) };
	return { ...result, reached };
}

const fetchPage = async (port: number, signal: AbortSignal) =>
	await inPlace(host, ["curl", "-s", "-m", "60", `http://127.0.0.1:${port}/`], {
		deadlineMs: 90_000,
		signal,
	});

async function play(lab: Lab, signal: AbortSignal): Promise<boolean> {
	const began = performance.now();
	const { accelerator } = await lab.client.call("status", {}, null);
	const machine = await machineFacts(accelerator);
	const key = await newKey(scratch);
	if (oldKey !== undefined) {
		await copyFile(oldKey, key.path);
		// ssh would offer this one's public half.
		await rm(`${key.path}.pub`);
	}
	const guest = new Guest(sites.ports.ssh, key.path);
	const installed = await begin(lab, join(scratch, "mini.iso"), key.text, signal);
	const facts = await guest.sh(
		'cat /proc/cmdline; . /etc/os-release; echo "$PRETTY_NAME"; uname -r; systemd-analyze | head -n 1; dpkg-query -W | wc -l; df --output=used -h / | tail -n 1',
		signal,
	);
	const shown = await fetchPage(sites.ports.web, signal);
	console.log(facts.replaceAll(/^/gm, "  "));

	heading("3. It panics, and recovers cold");
	await apply(disk === undefined ? sites.installed(join(scratch, "mini.iso")) : sites.fromDisk(disk), signal);
	await guest.sh("echo before the panic > /var/lib/kept; sync /var/lib/kept", signal);
	const cold = await panics({ lab, server: "web", port: sites.ports.web, count: counts.cold }, signal);
	const coldFile = (await guest.sh("cat /var/lib/kept", signal)).trim() === "before the panic";

	heading("4. It is prepared for warm recovery, and another server is made of a copy of its disk");
	await prepare(guest, signal);
	await cli(signal, "stop", "web", "--timeout", "180s");
	const image = join(scratch, "prepared.qcow2");
	await copyFile(paths(installationState, "").server("web").disk("system"), image);
	await apply(sites.warm(disk === undefined ? join(scratch, "mini.iso") : undefined, disk, image), signal);
	const sealing = performance.now();
	await lab.until("web2", isPrepared, 2 * bootsWithinMs, signal);
	const sealedSeconds = Math.round((performance.now() - sealing) / 1000);
	const other = new Guest(sites.ports.ssh2, key.path);
	const from = "mountpoint -q /data/kept && echo before the panic > /data/kept/file && sync /data/kept/file";
	await other.sh(from, signal);

	heading("5. It panics, and recovers warm");
	const warm = await panics({ lab, server: "web2", port: sites.ports.web2, count: counts.warm }, signal);
	await lab.until("web2", ({ state }) => state === "running", bootsWithinMs, signal);
	const warmFile = (await other.sh("cat /data/kept/file", signal)).trim() === "before the panic";
	const reseeded = /crng reseeded due to virtual machine fork/.test(await other.sh("dmesg", signal));
	const found: Found = {
		...{ installed, facts: facts.trim().split("\n"), shown: shown.includes(page), sealedSeconds, reseeded },
		...{ cold: { panics: cold, file: coldFile }, warm: { panics: warm, file: warmFile } },
	};
	return await report(found, { machine, seconds: Math.round((performance.now() - began) / 1000) });
}

async function report(found: Found, more: object): Promise<boolean> {
	heading("What was found");
	console.log(table(found));
	const verdicts = verdictsOf(found);
	const ok = printVerdicts(verdicts);
	const path = await writeResult("installation", {
		ok,
		...more,
		...found,
		verdicts: verdictsForFile(verdicts),
	});
	console.log(
		`\n${ok ? styleText("green", "All as promised") : styleText("red", "A promise is broken")}; figures: ${path}`,
	);
	return ok;
}

/** What docs/warm.md says of a Debian that was installed, with the address of the server that the copy is for. */
async function prepare(guest: Guest, signal: AbortSignal): Promise<void> {
	const here = (name: string) => join(root, "bench/installation/guest", name);
	const templates = (name: string) => join(root, "templates", name);
	await guest.copy(
		{
			"/usr/lib/bulkhead/wake": templates("lib/guest/wake"),
			"/usr/lib/bulkhead/disks": templates("lib/guest/disks"),
			"/usr/lib/bulkhead/reseed": here("reseed"),
			"/usr/lib/bulkhead/settled": here("settled"),
			"/usr/lib/bulkhead/prepare": here("prepare"),
			"/etc/bulkhead/wake.d/50-nginx": here("50-nginx"),
			"/etc/systemd/system/bulkhead-disk@.service": here("bulkhead-disk@.service"),
			"/etc/udev/rules.d/90-bulkhead.rules": here("90-bulkhead.rules"),
		},
		signal,
	);
	await guest.sh(`/usr/lib/bulkhead/prepare ${sites.address2}/24 ${sites.gateway}`, signal, 300_000);
	await guest.sh("timeout 60 /usr/lib/bulkhead/settled", signal);
}

async function main(signal: AbortSignal): Promise<boolean> {
	await installFor(
		[
			"/usr/sbin/apt-cacher-ng",
			"/usr/bin/ssh",
			"/usr/bin/curl",
			"/usr/bin/gpg",
			"/usr/lib/ISOLINUX/isolinux.bin",
		],
		["apt-cacher-ng", "openssh-client", "curl", "gpg", "isolinux"],
	);
	await rm(out, { recursive: true, force: true });
	await mkdir(out, { recursive: true });
	const lab = new Lab(installationState, host);
	if (existsSync(installationState)) console.log("Removing what an earlier installation left behind.");
	await removeAll(lab);
	await makePlaces();
	await mkdir(scratch, { mode: 0o755 });
	try {
		await lab.startDaemon();
		return await play(lab, signal);
	} catch (error) {
		if (!signal.aborted)
			console.error(
				(await readFile(join(installationState, "daemon.log"), "utf8").catch(() => "")).slice(-3000),
			);
		throw error;
	} finally {
		// Also what went wrong: an installation takes long to be made again.
		if (keep && !signal.aborted) console.log(keptText);
		else {
			await removeAll(lab);
			console.log("\nServers, disks, networks and daemon of the installation are gone again.");
		}
	}
}

const keptText = `
It stays (KEEP=1):
  export BULKHEAD_STATE=${installationState}
  bin/bulkhead list
  nsenter --net=/run/netns/${host} curl http://127.0.0.1:${sites.ports.web2}/
  nsenter --net=/run/netns/${host} ssh -i ${scratch}/key -p ${sites.ports.ssh2} root@127.0.0.1
  make installation-clean    removes it`;

await runPlain("installation", main);
