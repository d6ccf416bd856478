import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync } from "node:fs";
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { run } from "../../src/host/command.ts";
import { hostNow } from "../open-loop/clock.ts";
import { installFor } from "../packages.ts";
import { domainXml, type GuestHardware } from "./domain.ts";
import type { Target, Way } from "./way.ts";

export const packages = ["libvirt-daemon", "libvirt-daemon-driver-qemu", "libvirt-clients"] as const;

const folder = "/var/lib/bulkhead-bench-libvirt";
/** The same folder as libvirtd sees it. */
const inside = "/run/bench";
const namespace = "bulkhead-bench-libvirt";
const domain = "guest";
const uuid = "b0000000-0000-4000-8000-000000000002";
const address = "10.81.0.10";
const gateway = "10.81.0.1";
const daemonWithinMs = 60_000;
const bootWithinMs = 300_000;

/**
 * libvirtd in a room of its own, so that nothing of the host's libvirt, if it has one, is seen or touched: mounts
 * (every folder that libvirt writes to is memory), processes (what it started ends with it, whatever happens to the
 * bench) and network (bridge and taps). Debian's libvirt-daemon comes without the user that its QEMU driver
 * looks up; it gets one here, in a copy of the user list.
 */
const roomScript = `set -e
mount -t tmpfs tmpfs /run
mkdir ${inside}
mount --bind ${folder} ${inside}
for path in /var/lib /var/cache /var/log /etc/libvirt; do mount -t tmpfs tmpfs $path; done
cp ${inside}/qemu.conf /etc/libvirt/
for list in passwd group; do cp /etc/$list /run/$list; done
grep -q ^libvirt-qemu: /run/passwd || echo libvirt-qemu:x:64055:64055::/nonexistent:/usr/sbin/nologin >> /run/passwd
grep -q ^libvirt-qemu: /run/group || echo libvirt-qemu:x:64055: >> /run/group
for list in passwd group; do mount --bind /run/$list /etc/$list; done
libvirtd --config ${inside}/libvirtd.conf --pid-file ${inside}/libvirtd.pid &
wait
`;

const daemonConfiguration = `unix_sock_dir = "${inside}/sockets"
auth_unix_rw = "none"
auth_unix_ro = "none"
log_outputs = "2:file:${inside}/libvirtd.log"
host_uuid = "b0000000-0000-4000-8000-000000000001"
`;

const driverConfiguration = `user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
stdio_handler = "file"
namespaces = []
cgroup_controllers = []
`;

/** Where the guest's image comes from. */
export interface GuestImage {
	kernel: string;
	initrd: string;
	disk: string;
}

/** The guest as a libvirt user would have it: on a bridge, reached without anything in between. */
export class LibvirtWay implements Way, AsyncDisposable {
	readonly name = "libvirt";
	readonly target: Target = { host: address, port: 80, namespace };
	private daemon: ChildProcess | undefined;
	private shell: VirshShell | undefined;

	/** Installs what is missing, and starts libvirtd with one domain. */
	async open(guest: GuestHardware, image: GuestImage): Promise<void> {
		await this[Symbol.asyncDispose]();
		await installFor(["/usr/sbin/libvirtd", "/usr/bin/virsh"], packages);
		await mkdir(join(folder, "sockets"), { recursive: true, mode: 0o700 });
		await copyFile(image.kernel, join(folder, "kernel"));
		await copyFile(image.initrd, join(folder, "initrd"));
		await copyFile(image.disk, join(folder, "system.qcow2"));
		await writeFile(join(folder, "libvirtd.conf"), daemonConfiguration);
		await writeFile(join(folder, "qemu.conf"), driverConfiguration);
		const place = { name: domain, uuid, bridge: "br0", address: `${address}/24`, gateway, folder: inside };
		await writeFile(join(folder, "guest.xml"), domainXml(guest, place));
		await makeNetwork();
		await this.startDaemon();
		await virsh("define", join(folder, "guest.xml"));
	}

	async begin(signal: AbortSignal): Promise<void> {
		const disk = join(folder, "disk.qcow2");
		await rm(disk, { force: true });
		const backing = ["-b", "system.qcow2", "-F", "qcow2"];
		await run("qemu-img", ["create", "-q", "-f", "qcow2", ...backing, disk], { deadlineMs: 30_000, signal });
		await virsh("start", domain);
		await this.ready(signal);
	}

	async panic(): Promise<number> {
		if (!this.shell) throw new Error("libvirtd does not run");
		const at = hostNow();
		await this.shell.command(`inject-nmi ${domain}`);
		return at;
	}

	/** A domain is prepared once it answers. */
	async ready(signal: AbortSignal): Promise<void> {
		const limit = AbortSignal.any([signal, AbortSignal.timeout(bootWithinMs)]);
		const ask = `exec 3<>/dev/tcp/${address}/80; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; read -r line <&3; [[ $line == *200* ]]`;
		const command = [`--net=/run/netns/${namespace}`, "timeout", "1", "bash", "-c", ask];
		for (;;) {
			const answers = await run("nsenter", command, { deadlineMs: 10_000, signal }).then(
				() => true,
				() => false,
			);
			if (answers) return;
			signal.throwIfAborted();
			if (limit.aborted) throw new Error(`libvirt's guest did not answer within ${bootWithinMs} ms`);
			await delay(100, undefined, { signal });
		}
	}

	async end(): Promise<void> {
		await virsh("destroy", domain);
	}

	/** The command line of its QEMU, as libvirt made it. */
	async commandLine(): Promise<string[]> {
		for (const name of await readdir("/proc")) {
			if (!/^\d+$/.test(name)) continue;
			const command = await readFile(`/proc/${name}/cmdline`, "utf8").catch(() => "");
			if (command.includes(uuid) && command.startsWith("/usr/bin/qemu"))
				return command.split("\0").slice(0, -1);
		}
		throw new Error("libvirt's QEMU does not run");
	}

	async version(): Promise<string> {
		return (await run("virsh", ["--version"], { deadlineMs: 10_000 })).stdout.trim();
	}

	/** Ends libvirtd and all that it started, and removes what it had. Also what an earlier bench left. */
	async [Symbol.asyncDispose](): Promise<void> {
		await this.shell?.close();
		this.shell = undefined;
		if (this.daemon && this.daemon.exitCode === null && this.daemon.signalCode === null) {
			const gone = once(this.daemon, "exit");
			// The first process of its process namespace goes with it, and so does the namespace.
			this.daemon.kill("SIGKILL");
			await gone;
		}
		this.daemon = undefined;
		await removeNetwork();
		await rm(folder, { recursive: true, force: true });
	}

	private async startDaemon(): Promise<void> {
		const log = openSync(join(folder, "room.log"), "a");
		const room = ["unshare", "--mount", "--propagation", "private", "--pid", "--mount-proc", "--fork"];
		const command = [`--net=/run/netns/${namespace}`, ...room, "--kill-child", "bash", "-c", roomScript];
		this.daemon = spawn("setpriv", ["--pdeathsig", "KILL", "nsenter", ...command], {
			stdio: ["ignore", log, log],
			detached: true,
		});
		closeSync(log);
		const end = hostNow() + daemonWithinMs;
		for (;;) {
			const problem = await virsh("list").then(
				() => undefined,
				(error: unknown) => error,
			);
			if (problem === undefined) break;
			if (this.daemon.exitCode !== null || hostNow() > end)
				throw new Error(`libvirtd does not answer: ${await this.logs()}`, { cause: problem });
			await delay(200);
		}
		this.shell = new VirshShell();
	}

	private async logs(): Promise<string> {
		const files = ["room.log", "libvirtd.log"].map((name) =>
			readFile(join(folder, name), "utf8").catch(() => ""),
		);
		return (await Promise.all(files)).join("").slice(-2000);
	}
}

const uri = `qemu+unix:///system?socket=${folder}/sockets/libvirt-sock`;

async function virsh(...args: string[]): Promise<void> {
	await run("virsh", ["-c", uri, ...args], { deadlineMs: 30_000 });
}

/** virsh that stays connected, so that a command costs no more than a call of a daemon's API. */
class VirshShell {
	private readonly child = spawn("virsh", ["-c", uri], { stdio: ["pipe", "pipe", "inherit"] });
	private said = "";
	private number = 0;

	constructor() {
		this.child.on("error", () => {});
		this.child.stdin.on("error", () => {});
		this.child.stdout.setEncoding("utf8").on("data", (text: string) => {
			this.said += text;
		});
	}

	/** @throws Error when virsh says that something went wrong, or nothing for ten seconds */
	async command(line: string): Promise<void> {
		const end = `done-${++this.number}`;
		this.said = "";
		this.child.stdin.write(`${line}\necho ${end}\n`);
		const deadline = hostNow() + 10_000;
		while (!this.said.includes(end)) {
			if (hostNow() > deadline || this.child.exitCode !== null)
				throw new Error(`virsh does not answer to ${line}`);
			await delay(1);
		}
		if (/error:/.test(this.said)) throw new Error(`virsh ${line}: ${this.said}`);
	}

	async close(): Promise<void> {
		if (this.child.exitCode !== null || this.child.signalCode !== null) return;
		const gone = once(this.child, "exit");
		this.child.kill("SIGKILL");
		await gone;
	}
}

async function ip(...args: string[]): Promise<void> {
	await run("ip", args, { deadlineMs: 10_000 });
}

async function makeNetwork(): Promise<void> {
	await ip("netns", "add", namespace);
	await ip("-n", namespace, "link", "set", "lo", "up");
	// A fixed address: a bridge otherwise takes a port's, and forgets its neighbours when that changes.
	await ip("-n", namespace, "link", "add", "br0", "address", "52:54:00:b0:00:01", "type", "bridge");
	await ip("-n", namespace, "addr", "add", `${gateway}/24`, "dev", "br0");
	await ip("-n", namespace, "link", "set", "br0", "up");
}

async function removeNetwork(): Promise<void> {
	if (!existsSync(`/run/netns/${namespace}`)) return;
	const { stdout } = await run("ip", ["netns", "pids", namespace], { deadlineMs: 10_000 });
	for (const pid of stdout.split("\n").filter(Boolean)) {
		try {
			process.kill(Number(pid), "SIGKILL");
		} catch {
			// It has ended by itself.
		}
	}
	await ip("netns", "del", namespace);
}
