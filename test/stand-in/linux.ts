import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../src/host/command.ts";
import { Watched } from "./show.ts";

/** The kernel of Debian's installer: package debian-installer-12-netboot-amd64. */
export const installer = "/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64";
export const linux = join(installer, "linux");

/** 1024 x 768 with 16 bits a pixel, a console on a frame buffer: Documentation/fb/vesafb.rst of the kernel. */
export const vesa1024 = "vga=0x317";

/** A Linux whose console shows these lines from the top left on, and nothing else. */
export async function kernelScreen(folder: string, lines: readonly string[]): Promise<Watched> {
	const script = [
		"#!/bin/busybox sh",
		"/bin/busybox mkdir -p /dev",
		"/bin/busybox mount -t devtmpfs none /dev",
		"exec >/dev/tty1",
		"printf '\\033[2J\\033[H\\033[?25l'",
		...lines.map((line) => `printf '%s\\n' '${line.replaceAll("'", "'\\''")}'`),
		"echo shown >/dev/ttyS0",
		"/bin/busybox sleep 1000",
	].join("\n");
	const initrd = await initramfs(folder, script);
	const guest = await Watched.start(
		[
			"-vga",
			"std",
			"-kernel",
			linux,
			"-initrd",
			initrd,
			"-append",
			`${vesa1024} quiet loglevel=0 console=tty0`,
		],
		"512M",
	);
	await guest.until(() => guest.serial.includes("shown"), 120_000, "screen of the kernel");
	return guest;
}

/** An initramfs of busybox, one script, and some more files in its root. */
export async function initramfs(
	folder: string,
	script: string,
	files: Record<string, Buffer> = {},
): Promise<string> {
	const root = join(folder, "root");
	await run("mkdir", ["-p", join(root, "bin")], { deadlineMs: 5000 });
	await run("cp", ["/bin/busybox", join(root, "bin/busybox")], { deadlineMs: 5000 });
	await writeFile(join(root, "init"), `${script}\n`, { mode: 0o755 });
	for (const [name, content] of Object.entries(files)) await writeFile(join(root, name), content);
	const to = join(folder, "initrd");
	await run("sh", ["-c", `find . | cpio -o -H newc --quiet > "${to}"`], { deadlineMs: 20_000, cwd: root });
	return to;
}
