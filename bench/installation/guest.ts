import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../src/host/command.ts";
import { host, inPlace } from "./places.ts";

/** A server as its administrator works in it: by SSH, through what it publishes to its host. */
export class Guest {
	private readonly port: number;
	private readonly key: string;

	constructor(port: number, key: string) {
		this.port = port;
		this.key = key;
	}

	/** Runs a script as root. @returns what it wrote. @throws CommandError with what it said */
	async sh(script: string, signal: AbortSignal, deadlineMs = 120_000): Promise<string> {
		const known = [
			"-o",
			"StrictHostKeyChecking=no",
			"-o",
			"UserKnownHostsFile=/dev/null",
			"-o",
			"LogLevel=ERROR",
		];
		const words = [
			"ssh",
			"-i",
			this.key,
			"-p",
			String(this.port),
			"-o",
			"BatchMode=yes",
			"-o",
			"ConnectTimeout=60",
			...known,
		];
		return await inPlace(host, [...words, "root@127.0.0.1", "bash -s"], {
			deadlineMs,
			input: script,
			signal,
		});
	}

	/** Copies files into it, by their paths there. Executable ones stay so. */
	async copy(files: Readonly<Record<string, string>>, signal: AbortSignal): Promise<void> {
		for (const [to, from] of Object.entries(files)) {
			const bytes = await readFile(from);
			const mode = to.startsWith("/usr/lib/bulkhead/") || to.includes("wake.d") ? "755" : "644";
			const script = `set -e; mkdir -p "$(dirname ${to})"; base64 -d > ${to} <<'END'\n${bytes.toString("base64")}\nEND\nchmod ${mode} ${to}`;
			await this.sh(script, signal);
		}
	}
}

/** A new key for root. @returns paths of the private half, and the text of the public one */
export async function newKey(folder: string): Promise<{ path: string; text: string }> {
	const path = join(folder, "key");
	await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "installation", "-f", path], {
		deadlineMs: 30_000,
	});
	return { path, text: (await readFile(`${path}.pub`, "utf8")).trim() };
}

/** @returns the hash of a password that nobody knows */
export async function nobodysPassword(): Promise<string> {
	const input = `${randomBytes(24).toString("base64")}\n`;
	return (await run("openssl", ["passwd", "-6", "-stdin"], { deadlineMs: 30_000, input })).stdout.trim();
}
