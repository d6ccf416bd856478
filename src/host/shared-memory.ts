import { spawn } from "node:child_process";
import { closeSync, fstatSync, openSync, readdirSync, readlinkSync } from "node:fs";
import { withDeadline } from "./clock.ts";
import { CommandError, run } from "./command.ts";

/**
 * Node.js has neither memfd_create(2) nor fcntl(2); Perl has both, and every Debian has Perl. 319 is memfd_create on
 * x86-64, 3 is MFD_CLOEXEC | MFD_ALLOW_SEALING. Ends when its input does: by then the caller has opened the file.
 */
const makeScript = `my ($name, $size) = @ARGV; my $fd = syscall(319, "$name\\0", 3); die "memfd_create: $!\\n" if $fd < 0;
open(my $file, "+<&=", $fd) or die "$!\\n"; truncate($file, $size) or die "truncate: $!\\n"; $| = 1; print "$fd\\n"; <STDIN>;`;

/** F_ADD_SEALS is 1033, F_GET_SEALS 1034; F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE is 15 (fcntl(2)). */
const sealScript = `open(my $file, "+<&=", 3) or die "$!\\n"; fcntl($file, 1033, 15) or die "F_ADD_SEALS: $!\\n";`;
const checkScript = `open(my $file, "<&=", 3) or die "$!\\n"; fcntl($file, 1034, 0) == 15 or die "it is not sealed\\n";`;

const quickMs = 5000;
const copyMs = 600_000;

/**
 * A file in memory that processes share by its descriptor (memfd). Once sealed nobody can change it, whoever holds it
 * and whatever he is allowed to: the kernel refuses.
 */
export class SharedMemory {
	readonly name: string;
	readonly descriptor: number;
	private open = true;

	private constructor(name: string, descriptor: number) {
		this.name = name;
		this.descriptor = descriptor;
	}

	/** @param name shown in /proc, without any meaning. @throws Error when the kernel or its memory does not allow it */
	static async create(name: string, bytes: number): Promise<SharedMemory> {
		const child = spawn("perl", ["-e", makeScript, name, `${bytes}`], { stdio: ["pipe", "pipe", "pipe"] });
		let said = "";
		child.stderr.setEncoding("utf8").on("data", (text: string) => {
			said += text;
		});
		child.stdin.on("error", () => {});
		try {
			const made = await withDeadline("making shared memory", quickMs, async () => {
				const { promise, resolve, reject } = Promise.withResolvers<string>();
				child.once("error", reject);
				child.once("exit", () => reject(new Error(`shared memory cannot be made: ${said.trim()}`)));
				child.stdout.once("data", (data: Buffer) => resolve(data.toString("utf8").trim()));
				return await promise;
			});
			return new SharedMemory(name, openSync(`/proc/${child.pid}/fd/${made}`, "r+"));
		} finally {
			child.kill("SIGKILL");
		}
	}

	/**
	 * Finds sealed memory that one of these processes holds: what a daemon before has made lives on with them. Only the
	 * name tells, so the caller checks what is in it.
	 * @returns undefined when there is none that is sealed
	 */
	static async find(name: string, pids: readonly number[]): Promise<SharedMemory | undefined> {
		for (const path of pids.flatMap((pid) => descriptorsOf(pid, name))) {
			const memory = SharedMemory.openIfThere(name, path);
			if (!memory) continue;
			if (await memory.isSealed()) return memory;
			memory.close();
		}
		return undefined;
	}

	private static openIfThere(name: string, path: string): SharedMemory | undefined {
		try {
			return new SharedMemory(name, openSync(path, "r"));
		} catch {
			// The process has ended meanwhile.
			return undefined;
		}
	}

	/** Where other programs of this user find it, as long as it is open here. */
	get path(): string {
		return `/proc/${process.pid}/fd/${this.descriptor}`;
	}

	/** Bytes of memory that it takes; what was never written takes none. */
	get usedBytes(): number {
		return fstatSync(this.descriptor).blocks * 512;
	}

	/** Makes it unchangeable for ever. @throws Error while a process can still write to it */
	async seal(): Promise<void> {
		await withFile(sealScript, this.descriptor);
	}

	async isSealed(): Promise<boolean> {
		return await withFile(checkScript, this.descriptor).then(
			() => true,
			() => false,
		);
	}

	/** Copies a file into it. @throws CommandError */
	async fill(from: string, signal?: AbortSignal): Promise<void> {
		await copySparse(from, this.path, signal);
	}

	/** Copies it into a file, which takes no room for what was never written. @throws CommandError */
	async copyTo(path: string, signal?: AbortSignal): Promise<void> {
		await copySparse(this.path, path, signal);
	}

	/** Lets go of it. Its memory is free once nobody holds it. */
	close(): void {
		if (this.open) closeSync(this.descriptor);
		this.open = false;
	}
}

async function copySparse(from: string, to: string, signal?: AbortSignal): Promise<void> {
	const options = { deadlineMs: copyMs, ...(signal ? { signal } : {}) };
	await run("nice", ["-n", "19", "cp", "--sparse=always", "--", from, to], options);
}

function descriptorsOf(pid: number, name: string): string[] {
	const folder = `/proc/${pid}/fd`;
	try {
		return readdirSync(folder)
			.map((entry) => `${folder}/${entry}`)
			.filter((path) => linkOf(path) === `/memfd:${name} (deleted)`);
	} catch {
		return [];
	}
}

function linkOf(path: string): string {
	try {
		return readlinkSync(path);
	} catch {
		return "";
	}
}

/** Runs a Perl script that has the file as its descriptor 3. @throws CommandError */
async function withFile(script: string, descriptor: number): Promise<void> {
	const child = spawn("perl", ["-e", script], {
		stdio: ["ignore", "ignore", "pipe", descriptor],
		timeout: quickMs,
		killSignal: "SIGKILL",
	});
	let said = "";
	child.stderr?.setEncoding("utf8").on("data", (text: string) => {
		said += text;
	});
	const { promise, resolve, reject } = Promise.withResolvers<number | null>();
	child.once("error", reject);
	child.once("close", (code) => resolve(code));
	const code = await promise;
	if (code !== 0) throw new CommandError("perl", `ended with code ${code}`, code, said);
}
