import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, cpSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { identify, sendSignal } from "../../../src/host/process.ts";

/** A program of a Debian package, as a server of its own. */
export interface Recipe {
	name: string;
	/** Files of its own, by path: below /etc, /var or /run. */
	files: Record<string, string>;
	/** Folders below /etc of the package that it needs as they are. */
	etc?: readonly string[];
	/** Run once before it is started the first time. */
	prepare?: string;
	command: readonly string[];
	/** Where it writes its log, when not to its output. */
	log?: string;
	/** It changes to several users by itself, and is to be begun as root. All others have one user, which is nobody here. */
	asRoot?: true;
}

/**
 * A server in a view of its own: the packages as the root of its file system, read-only; /etc, /var, /run and /tmp of its
 * own; processes of its own, all of which end with the first; the network of the given namespace.
 */
export class RealServer {
	readonly recipe: Recipe;
	/** Characters of its log that have been taken. */
	private taken = 0;
	private child: ChildProcess | undefined;
	private readonly root: string;
	private readonly folder: string;
	private readonly namespace: string;

	constructor(recipe: Recipe, root: string, folder: string, namespace: string) {
		this.recipe = recipe;
		this.root = root;
		this.folder = join(folder, recipe.name);
		this.namespace = namespace;
	}

	/** Writes its files, and runs what is to be run once. */
	async prepare(): Promise<void> {
		for (const name of ["etc", "var", "run", "tmp"]) mkdirSync(join(this.folder, name), { recursive: true });
		for (const name of ["services", "ssl/openssl.cnf", "protocols", ...(this.recipe.etc ?? [])])
			cpSync(join(this.root, "etc", name), join(this.folder, "etc", name), { recursive: true });
		for (const [path, text] of Object.entries({ ...common, ...this.recipe.files })) {
			mkdirSync(dirname(join(this.folder, path)), { recursive: true });
			writeFileSync(join(this.folder, path), text);
		}
		if (this.recipe.prepare === undefined) return;
		const child = this.spawn(["/bin/sh", "-euc", this.recipe.prepare]);
		const [code] = await once(child, "exit");
		if (code !== 0) throw new Error(`${this.recipe.name}: ${this.takeLines().join("\n")}`);
	}

	start(): void {
		this.child = this.spawn(this.recipe.command);
	}

	/** It hangs: every process of it is stopped, and the kernel goes on taking connections for it. */
	stop(): void {
		this.signal("SIGSTOP");
	}

	go(): void {
		this.signal("SIGCONT");
	}

	/** It is gone, with all its processes. */
	async end(): Promise<void> {
		if (!this.child) return;
		const ended = once(this.child, "exit");
		this.signal("SIGKILL");
		await ended;
		this.child = undefined;
	}

	/** @returns what it has written since it was last asked */
	takeLines(): string[] {
		const text = readFileSync(join(this.folder, this.recipe.log ?? "output"), "utf8");
		const lines = text.slice(this.taken).split("\n").slice(0, -1);
		this.taken = text.lastIndexOf("\n") + 1;
		return lines;
	}

	private spawn(command: readonly string[]): ChildProcess {
		const own = ["etc", "var", "run", "tmp"].flatMap((name) => [
			"--bind",
			join(this.folder, name),
			`/${name}`,
		]);
		const who = this.recipe.asRoot
			? ["--cap-add", "ALL"]
			: ["--unshare-user", "--uid", "1000", "--gid", "1000"];
		const view = ["--ro-bind", this.root, "/", ...own, "--proc", "/proc", "--dev", "/dev"];
		const shared = ["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--die-with-parent", "--clearenv"];
		const path = ["--setenv", "PATH", "/usr/sbin:/usr/bin:/sbin:/bin", "--setenv", "HOME", "/tmp"];
		const args = [`--net=/run/netns/${this.namespace}`, "bwrap", ...who, ...view, ...shared, ...path];
		// A file, as servers open their standard output by its name, and that cannot be done with a socket.
		const log = openSync(join(this.folder, "output"), "a");
		const child = spawn("nsenter", [...args, ...command], { stdio: ["ignore", log, log] });
		closeSync(log);
		return child;
	}

	private signal(signal: NodeJS.Signals): void {
		for (const pid of this.processes()) {
			const found = identify(pid);
			if (found) sendSignal(found, signal);
		}
	}

	/** All processes of it, those that it has begun first. */
	private processes(): number[] {
		const { pid } = this.child ?? {};
		return pid === undefined ? [] : descendants(pid).reverse();
	}
}

/** Users by the numbers that recipes use. */
const users = { root: 0, server: 1000, postfix: 61_001, dovecot: 61_002, dovenull: 61_003, sshd: 61_004 };
const common = {
	"etc/passwd": Object.entries({ ...users, nobody: 65_534 })
		.map(([name, id]) => `${name}:x:${id}:${id}::/tmp:/bin/sh\n`)
		.join(""),
	"etc/group": Object.entries({ ...users, postdrop: 61_011, nogroup: 65_534 })
		.map(([name, id]) => `${name}:x:${id}:\n`)
		.join(""),
	"etc/hosts": "127.0.0.1 localhost server.test\n",
	"etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
	"etc/resolv.conf": "",
	"var/log/.keep": "",
	"var/tmp/.keep": "",
};

function descendants(pid: number): number[] {
	const found = [pid];
	for (const one of found) found.push(...childrenOf(one));
	return found;
}

function childrenOf(pid: number): number[] {
	try {
		return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
			readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8")
				.split(" ")
				.filter((word) => word !== "")
				.map(Number),
		);
	} catch {
		return []; // it has just ended
	}
}
