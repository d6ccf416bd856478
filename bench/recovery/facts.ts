import { readFile } from "node:fs/promises";
import { cpus, loadavg, release, totalmem } from "node:os";
import { run } from "../../src/host/command.ts";

/** What a figure depends on, besides what is measured. */
export interface MachineFacts {
	processors: number;
	model: string;
	memoryGiB: number;
	kernel: string;
	system: string;
	qemu: string;
	accelerator: string;
	/** Processes that wanted a processor in the last minute, when the bench began. */
	loadBefore: number;
}

export async function machineFacts(accelerator: string): Promise<MachineFacts> {
	const { stdout } = await run("qemu-system-x86_64", ["--version"], { deadlineMs: 10_000 });
	const release_ = await readFile("/etc/os-release", "utf8").catch(() => "");
	return {
		processors: cpus().length,
		model: cpus()[0]?.model ?? "unknown",
		memoryGiB: Math.round(totalmem() / 2 ** 30),
		kernel: release(),
		system: /^PRETTY_NAME="(.*)"$/m.exec(release_)?.[1] ?? "unknown",
		qemu: /version (\S+)/.exec(stdout)?.[1] ?? "unknown",
		accelerator,
		loadBefore: Math.round((loadavg()[0] ?? 0) * 100) / 100,
	};
}
