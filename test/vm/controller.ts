import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { controllerPorts } from "../../src/api/domain.ts";
import { run } from "../../src/host/command.ts";
import { until } from "./harness.ts";

/**
 * A real domain controller, Samba's, in a network namespace of its own with nothing of its files on the host: what a
 * server with a domain in it is to those who are members of it.
 */
export class Controller implements AsyncDisposable {
	readonly realm: string;
	readonly password = "Passw0rd-Adm1n";
	readonly namespace: string;
	readonly address: string;
	private readonly folder: string;
	private samba: ChildProcess | undefined;

	private constructor(namespace: string, address: string, folder: string, realm: string) {
		this.realm = realm;
		this.namespace = namespace;
		this.address = address;
		this.folder = folder;
	}

	/** @param namespace one that has the address on its eth0 */
	static async provision(namespace: string, address: string, realm = "AD.EXAMPLE.COM"): Promise<Controller> {
		const folder = await mkdtemp(join(tmpdir(), "bulkhead-dc-"));
		const controller = new Controller(namespace, address, folder, realm);
		await mkdir(join(controller.folder, "etc"));
		const { password } = controller;
		const interfaces = ["--option=interfaces=lo eth0", "--option=bind interfaces only=yes"];
		await controller.alone(
			[
				...[
					"samba-tool",
					"domain",
					"provision",
					`--realm=${realm}`,
					`--domain=${realm.split(".")[0]}`,
					`--adminpass=${password}`,
				],
				...["--host-name=dc1", `--host-ip=${address}`, "--server-role=dc", "--dns-backend=SAMBA_INTERNAL"],
				...[`--targetdir=${controller.folder}`, ...interfaces],
			],
			120_000,
		);
		return controller;
	}

	get config(): string {
		return join(this.folder, "etc/smb.conf");
	}

	async start(): Promise<void> {
		await writeFile(
			join(this.folder, "hosts"),
			`127.0.0.1 localhost\n${this.address} dc1.${this.realm.toLowerCase()} dc1\n`,
		);
		await writeFile(join(this.folder, "resolv.conf"), `nameserver ${this.address}\n`);
		const command = ["samba", "--foreground", "--no-process-group", `--configfile=${this.config}`];
		const [file = "", ...args] = this.view(command);
		this.samba = spawn(file, args, { stdio: "ignore" });
		await until("the controller answering", async () => await this.answers(), 60_000);
	}

	/** All of it at once, as a machine that is switched off. */
	async kill(): Promise<void> {
		const killed = async () => {
			const { stdout } = await run("ip", ["netns", "pids", this.namespace], { deadlineMs: 10_000 });
			const pids = stdout.split("\n").filter(Boolean);
			for (const pid of pids) {
				try {
					process.kill(Number(pid), "SIGKILL");
				} catch {
					// It has ended with its parent.
				}
			}
			return pids.length === 0;
		};
		await until("the controller gone", killed, 10_000);
		this.samba = undefined;
	}

	/** Runs Samba's own tool on the directory itself. @returns what it wrote */
	async tool(...words: string[]): Promise<string> {
		return await this.alone(["samba-tool", ...words, `--configfile=${this.config}`], 60_000);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.kill();
		await rm(this.folder, { recursive: true, force: true });
	}

	/** All that a member needs; Samba's processes begin one after the other. */
	private async answers(): Promise<boolean> {
		if (this.samba?.exitCode !== null) throw new Error("the controller has ended");
		const ask = ["netns", "exec", this.namespace, "ss", "-H", "-l", "-t", "-n"];
		const { stdout } = await run("ip", ask, { deadlineMs: 10_000 });
		return Object.values(controllerPorts).every((port) => stdout.includes(` ${this.address}:${port} `));
	}

	private async alone(command: readonly string[], deadlineMs: number): Promise<string> {
		const [file = "", ...args] = this.view(command);
		return (await run(file, args, { deadlineMs })).stdout;
	}

	private view(command: readonly string[]): string[] {
		const { folder } = this;
		const own = ["hosts", "resolv.conf"].map(
			(name) => `[ ! -e ${folder}/${name} ] || mount --bind ${folder}/${name} /etc/${name}`,
		);
		const empty = ["/run/samba", "/var/lib/samba", "/var/cache/samba", "/var/log/samba", "/etc/samba"].map(
			(path) => `mount -t tmpfs none ${path}`,
		);
		// As Debian's package makes it.
		const script = [...own, ...empty, "mkdir -p /var/lib/samba/private", "hostname dc1", 'exec "$@"'].join(
			" && ",
		);
		return [
			...["nsenter", `--net=/run/netns/${this.namespace}`, "unshare", "--mount", "--uts"],
			...["sh", "-c", script, "sh", ...command],
		];
	}
}
