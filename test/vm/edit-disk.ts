import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../../src/host/command.ts";
import { patience } from "./harness.ts";

/**
 * Puts files onto a stopped server's system disk, as whoever prepares an image would.
 * @param files contents by path; their folders must be there or be made by `before`
 * @param before commands of debugfs that come first, `after` those that come last
 */
export async function editDisk(
	disk: string,
	files: Readonly<Record<string, string>>,
	{ before = [], after = [] }: { before?: readonly string[]; after?: readonly string[] } = {},
): Promise<void> {
	const folder = await mkdtemp(join(tmpdir(), "bulkhead-disk-"));
	try {
		const raw = join(folder, "system.raw");
		await run("qemu-img", ["convert", "-O", "raw", disk, raw], { deadlineMs: patience.build });
		const writes = Object.entries(files).map(async ([path, content], i) => {
			await writeFile(join(folder, `${i}`), content);
			return `write ${join(folder, `${i}`)} ${path}`;
		});
		for (const edit of [...before, ...(await Promise.all(writes)), ...after])
			await run("debugfs", ["-w", "-R", edit, raw], { deadlineMs: patience.answer });
		await run("qemu-img", ["convert", "-O", "qcow2", raw, disk], { deadlineMs: patience.build });
	} finally {
		await rm(folder, { recursive: true, force: true });
	}
}
