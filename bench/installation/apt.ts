import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../src/host/command.ts";
import type { Mirror } from "./mirror.ts";

const slow = { deadlineMs: 600_000 };

/** Packages of a release that need not be this host's own, with lists of its own: this host's apt is not changed. */
export class Apt {
	private readonly mirror: Mirror;
	private readonly folder: string;
	private readonly options: readonly string[];

	private constructor(mirror: Mirror, folder: string) {
		this.mirror = mirror;
		this.folder = folder;
		this.options = [
			...[
				"-q",
				"-o",
				`Dir::Etc::SourceList=${join(folder, "sources.list")}`,
				"-o",
				"Dir::Etc::SourceParts=/dev/null",
			],
			...["-o", `Dir::State::Lists=${join(folder, "lists")}`],
			...["-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache=", "-o", "APT::Sandbox::User=root"],
		];
	}

	/** @param folder an empty folder. @throws CommandError */
	static async open(mirror: Mirror, folder: string, signal: AbortSignal): Promise<Apt> {
		const apt = new Apt(mirror, folder);
		await mkdir(join(folder, "lists/partial"), { recursive: true });
		const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
		const source = `deb [signed-by=${keyring}] ${mirror.url} ${mirror.release} main\n`;
		await writeFile(join(folder, "sources.list"), source);
		await run("apt-get", [...apt.options, "update"], { ...slow, signal });
		return apt;
	}

	/** Gets a file of the mirror, by its path there. @throws CommandError when it is not there, too */
	async file(path: string, to: string, signal: AbortSignal): Promise<void> {
		const url = `${this.mirror.url}/${path.replaceAll("+", "%2B")}`;
		await run("/usr/lib/apt/apt-helper", ["-o", "APT::Sandbox::User=root", "download-file", url, to], {
			...slow,
			signal,
		});
	}

	/** @returns the version that the mirror lists, and its path there. @throws CommandError when there is none */
	async listed(name: string): Promise<{ version: string; path: string }> {
		const { stdout } = await run("apt-cache", [...this.options, "show", "--no-all-versions", name], slow);
		const field = (key: string) => new RegExp(`^${key}: (.*)$`, "m").exec(stdout)?.[1] ?? "";
		return { version: field("Version"), path: field("Filename") };
	}

	/** Gets a package, and unpacks it into a folder. @throws CommandError */
	async unpack(name: string, into: string, signal: AbortSignal): Promise<void> {
		const here = join(this.folder, "debs");
		await mkdir(here, { recursive: true });
		await run("apt-get", [...this.options, "download", name], { ...slow, cwd: here, signal });
		for (const file of await readdir(here)) {
			await run("dpkg-deb", ["-x", join(here, file), into], { ...slow, signal });
			await rm(join(here, file));
		}
	}
}
