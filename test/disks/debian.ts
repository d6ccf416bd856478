import { createHash } from "node:crypto";
import { chmod, mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../src/host/command.ts";
import { errorCode, syncFile } from "../../src/host/files.ts";
import { shipped } from "../../src/templates/catalogue.ts";

const script = join(import.meta.dirname, "debian");
const cache = join(process.env.BULKHEAD_CACHE ?? "/var/cache/bulkhead", "disks");

/**
 * A Debian with a boot loader of its own, as a packed qcow2 image: made once, and kept by the hash of what it is made by.
 * @returns its path; it is only to be read
 */
export async function debianDisk(architecture: "amd64" | "i386"): Promise<string> {
	const hash = createHash("sha256");
	for (const file of [script, join(shipped, "lib/build.sh")]) hash.update(await readFile(file));
	const image = join(cache, `debian-${architecture}-${hash.digest("hex").slice(0, 16)}.qcow2`);
	const there = await readFile(`${image}.complete`).then(
		() => true,
		(error) => {
			if (errorCode(error) === "ENOENT") return false;
			throw error;
		},
	);
	if (there) return image;
	await mkdir(cache, { recursive: true });
	const scratch = await mkdtemp(join(cache, ".debian-"));
	try {
		const raw = join(scratch, "disk.raw");
		await run(script, [architecture, raw], { deadlineMs: 600_000, env: { BULKHEAD_DISK_SCRATCH: scratch } });
		const packed = join(scratch, "disk.qcow2");
		await run("qemu-img", ["convert", "-q", "-c", "-f", "raw", "-O", "qcow2", raw, packed], {
			deadlineMs: 300_000,
		});
		await chmod(packed, 0o644);
		// Before anything says that it is complete: a power cut would leave an empty one.
		await syncFile(packed);
		await rename(packed, image);
		await run("touch", [`${image}.complete`], { deadlineMs: 5000 });
		return image;
	} finally {
		await rm(scratch, { recursive: true, force: true });
	}
}
