import { mkdir, mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { run } from "../../host/command.ts";
import { writeFileAtomic } from "../../host/files.ts";
import { createOverlay } from "../../qemu/image.ts";
import type { ServerPaths } from "../../store/paths.ts";
import type { StoredServer } from "../../store/servers.ts";
import { dropChanges, keepChanges } from "./changes.ts";

const deadlineMs = 20_000;
const command = async (file: string, ...args: string[]) => await run(file, args, { deadlineMs });
const server = { installed: { uid: process.getuid?.() ?? 0, systemBytes: 16 * 2 ** 20 } } as StoredServer;
const uid = 1_950_000_000;
let folder: string;
let disk: string;

/** As a disk whose power fails: what was not asked to be written down is gone. EXT4_IOC_SHUTDOWN, without the log. */
async function cutPower(): Promise<void> {
	const script =
		'open(my $f, "<", shift) or die; my $how = pack("L", 2); ioctl($f, 0x8004587d, $how) or die "$!\n";';
	await command("perl", "-e", script, disk);
	await command("umount", disk);
	const image = join(folder, "disk.img");
	// A program that began just then in a mount namespace of its own may hold it a moment longer, and no new mount is made of it.
	const gone = async () => expect((await command("losetup", "-j", image)).stdout).toBe("");
	await vi.waitFor(gone, deadlineMs);
	await command("mount", "-o", "loop", image, disk);
}

beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "bulkhead-changes-"));
	disk = join(folder, "disk");
	await mkdir(disk);
	const image = join(folder, "disk.img");
	await writeFile(image, "");
	await truncate(image, 128 * 2 ** 20);
	await command("mkfs.ext4", "-q", "-F", image);
	// As file systems that do not guess what programs have forgotten: XFS, above all.
	await command("mount", "-o", "loop,noauto_da_alloc,data=writeback", image, disk);
});
afterEach(async () => {
	await command("umount", disk);
	await rm(folder, { recursive: true });
});

test("changes that were kept are there after a power cut, whole", async () => {
	const paths = {
		disks: disk,
		changes: join(disk, "changes.qcow2"),
		disk: (name: string) => join(disk, `${name}.qcow2`),
	} as ServerPaths;
	const system = paths.disk("system");
	await command("qemu-img", "create", "-q", "-f", "qcow2", system, "16M");
	await command("qemu-io", "-f", "qcow2", "-c", "write -q -P 1 0 4M", system);
	await createOverlay(paths.changes, system, 16 * 2 ** 20);
	await command("qemu-io", "-f", "qcow2", "-c", "write -q -P 2 1M 1M", paths.changes);
	await command("sync", "-f", disk);

	await keepChanges(server, paths, uid);
	// Again, as by a daemon that was killed before it had written that down.
	await keepChanges(server, paths, uid);
	await writeFileAtomic(join(disk, "record.json"), "{}\n");
	await dropChanges(paths);
	await writeFileAtomic(join(disk, "record.json"), "{ }\n");
	await cutPower();
	const read = ["read -P 1 0 1M", "read -P 2 1M 1M", "read -P 1 2M 2M"].flatMap((one) => ["-c", one]);
	const { stdout } = await command("qemu-io", "-f", "qcow2", ...read, system);
	expect(stdout).not.toContain("verification failed");
});
