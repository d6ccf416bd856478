import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Frame } from "../../src/screen/frame.ts";
import { initramfs, installer, linux, vesa1024 } from "../stand-in/linux.ts";
import { consoleFont } from "../stand-in/psf.ts";
import { Watched } from "../stand-in/show.ts";
import type { Truth } from "./truth.ts";

/** Real systems of Debian's packages, and what is recorded of them. */
export interface Recording {
	name: string;
	/** Debian packages beside QEMU. */
	packages: string[];
	record(take: (name: string, from: Frame, truth: Truth) => Promise<void>, folder: string): Promise<void>;
}

const text: Truth = { kind: "text" };
const other: Truth = { kind: "other" };
const installerPackage = "debian-installer-12-netboot-amd64";

/** A text cursor blinks. */
const cursorBytes = 600;

function differing(a: Uint8Array, b: Uint8Array): number {
	let count = 0;
	for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) count++;
	return count;
}

/** Waits until the screen has not changed for two seconds, and has something on it. */
async function settled(guest: Watched, deadlineMs = 120_000): Promise<Frame> {
	const end = performance.now() + deadlineMs;
	let before = await guest.frame();
	for (let quiet = 0; quiet < 4; ) {
		await delay(500);
		const frame = await guest.frame();
		const same = frame.rgb.length === before.rgb.length && differing(frame.rgb, before.rgb) <= cursorBytes;
		quiet = same && frame.rgb.some((shade) => shade > 20) ? quiet + 1 : 0;
		before = frame;
		if (performance.now() > end) break;
	}
	return before;
}

/** A Linux without a root file system: its kernel panics. */
function panics(name: string, video: string): Recording {
	return {
		name,
		packages: [installerPackage],
		async record(take) {
			const append = `${video} console=tty0 root=/dev/vda1 panic=0`;
			await using guest = await Watched.start(["-vga", "std", "-kernel", linux, "-append", append], "512M");
			await delay(4000);
			await take(`${name}-boot`, await guest.frame(), text);
			await delay(15_000);
			await take(name, await settled(guest, 60_000), {
				kind: "linux-panic",
				says: "Unable to mount root fs",
			});
		},
	};
}

/** A Linux with a font of its own on its console, whose kernel then panics: no table has these letters. */
function panicInFont(name: string, font: string, video: string): Recording {
	return {
		name,
		packages: [installerPackage, "busybox-static", "console-setup-linux"],
		async record(take, folder) {
			const script = [
				"#!/bin/busybox sh",
				"/bin/busybox mkdir -p /dev /proc",
				"/bin/busybox mount -t devtmpfs none /dev",
				"/bin/busybox mount -t proc none /proc",
				"exec </dev/tty1 >/dev/tty1 2>&1",
				"/bin/busybox loadfont </font",
				"/bin/busybox cat /proc/cpuinfo /proc/meminfo",
				"/bin/busybox printf '\\nDebian GNU/Linux 12 till tty1\\n\\ntill login: '",
				"echo shown >/dev/ttyS0",
				"/bin/busybox sleep 8",
				"echo c >/proc/sysrq-trigger",
			].join("\n");
			const initrd = await initramfs(folder, script, { font: await consoleFont(font) });
			const append = `${video} console=tty0 loglevel=7 panic=0 sysrq_always_enabled`;
			await using guest = await Watched.start(
				["-vga", "std", "-kernel", linux, "-initrd", initrd, "-append", append],
				"512M",
			);
			await guest.until(() => guest.serial.includes("shown"), 120_000, "login");
			await delay(3000);
			await take(`${name}-login`, await guest.frame(), text);
			await delay(9000);
			await take(name, await settled(guest, 30_000), { kind: "linux-panic" });
		},
	};
}

/** Debian's installer, with its dialogs in text. */
function installerDialogs(name: string, video: string): Recording {
	return {
		name,
		packages: [installerPackage],
		async record(take) {
			const append = `${video} priority=low`;
			const initrd = join(installer, "initrd.gz");
			await using guest = await Watched.start(
				["-vga", "std", "-kernel", linux, "-initrd", initrd, "-append", append],
				"768M",
			);
			await delay(60_000);
			await take(`${name}-menu`, await settled(guest), text);
			await guest.keys("ret");
			await delay(4000);
			await take(`${name}-language`, await settled(guest), text);
			await guest.keys("ret");
			await delay(4000);
			await take(`${name}-country`, await settled(guest), text);
		},
	};
}

export const recordings: Recording[] = [
	{
		name: "seabios-ipxe",
		packages: ["ipxe-qemu"],
		async record(take) {
			await using guest = await Watched.start(["-vga", "std", "-nic", "user,model=e1000"], "128M", true);
			await delay(1500);
			await take("seabios-starts", await guest.frame(), text);
			await guest.keys("ctrl-b", "ctrl-b", "ctrl-b", "ctrl-b", "ctrl-b", "ctrl-b");
			await delay(6000);
			await take("ipxe-prompt", await settled(guest), text);
		},
	},
	{
		name: "seabios-no-disk",
		packages: [],
		async record(take) {
			await using guest = await Watched.start(["-vga", "std", "-boot", "menu=on,splash-time=20000"]);
			await delay(2500);
			await take("seabios-menu-offer", await guest.frame(), text);
			await guest.keys("esc");
			await delay(1000);
			await take("seabios-menu", await guest.frame(), text);
			await guest.keys("1");
			await take("seabios-no-disk", await settled(guest), text);
		},
	},
	{
		name: "grub",
		packages: ["grub-rescue-pc"],
		async record(take) {
			const iso = "/usr/lib/grub-rescue/grub-rescue-cdrom.iso";
			await using guest = await Watched.start(["-vga", "std", "-cdrom", iso]);
			await delay(8000);
			await take("grub-shell", await settled(guest), text);
		},
	},
	{
		name: "memtest",
		packages: ["memtest86+"],
		async record(take) {
			await using guest = await Watched.start([
				"-vga",
				"std",
				"-cdrom",
				"/usr/lib/memtest86+/memtest86+x64.iso",
			]);
			await delay(12_000);
			await take("memtest-runs", await guest.frame(), text);
			await guest.keys("f1");
			await delay(1000);
			await take("memtest-menu", await guest.frame(), text);
			await delay(15_000);
			await take("memtest-later", await guest.frame(), text);
		},
	},
	{
		name: "ovmf",
		packages: ["ovmf"],
		async record(take) {
			const firmware = ["-bios", "/usr/share/ovmf/OVMF.fd"];
			await using guest = await Watched.start(["-vga", "std", ...firmware], "256M");
			// QEMU's own words, until the firmware has found its display.
			await take("qemu-no-display-yet", await guest.frame(), text);
			const lit = async () => {
				const frame = await guest.frame();
				return frame.width > 640 && frame.rgb.some((shade) => shade > 60);
			};
			await guest.until(lit, 60_000, "logo");
			await take("ovmf-logo", await guest.frame(), { kind: "boot" });
			for (let i = 0; i < 10; i++) await guest.keys("esc");
			await delay(6000);
			await take("ovmf-setup", await settled(guest), text);
		},
	},
	{
		name: "uefi-shell",
		packages: ["ovmf"],
		async record(take) {
			await using guest = await Watched.start(["-vga", "std", "-bios", "/usr/share/ovmf/OVMF.fd"], "256M");
			await delay(40_000);
			await take("uefi-shell", await settled(guest), text);
		},
	},
	panics("linux-panic-text", "vga=normal"),
	panics("linux-panic-1024x768", vesa1024),
	panics("linux-panic-800x600", "vga=0x314"),
	panicInFont("linux-panic-terminus", "Lat15-Terminus16", vesa1024),
	panicInFont("linux-panic-fixed", "Lat15-Fixed16", vesa1024),
	panicInFont("linux-panic-text-terminus", "Lat15-TerminusBold16", "vga=normal"),
	{
		name: "linux-login",
		packages: [installerPackage, "busybox-static"],
		async record(take, folder) {
			const script = [
				"#!/bin/busybox sh",
				"/bin/busybox mkdir -p /dev /proc /etc",
				"/bin/busybox mount -t devtmpfs none /dev",
				"/bin/busybox mount -t proc none /proc",
				"/bin/busybox printf 'Debian GNU/Linux 12 \\\\n \\\\l\\n\\n' >/etc/issue",
				"/bin/busybox hostname till",
				"(/bin/busybox sleep 3; echo shown >/dev/ttyS0) &",
				"/bin/busybox setsid /bin/busybox getty 38400 tty1",
				"/bin/busybox sleep 1000",
			].join("\n");
			const initrd = await initramfs(folder, script);
			const append = "vga=normal console=tty0 quiet";
			await using guest = await Watched.start(
				["-vga", "std", "-kernel", linux, "-initrd", initrd, "-append", append],
				"512M",
			);
			await guest.until(() => guest.serial.includes("shown"), 120_000, "login");
			await take("linux-login", await guest.frame(), text);
		},
	},
	installerDialogs("installer-text", "vga=normal"),
	installerDialogs("installer-fb", "vga=788"),
	{
		name: "installer-boot-menu",
		packages: [installerPackage, "ipxe-qemu"],
		async record(take) {
			const boot = "/usr/lib/debian-installer/images/12/amd64/text";
			const nic = `user,model=e1000,tftp=${boot},bootfile=pxelinux.0`;
			await using guest = await Watched.start(["-vga", "std", "-boot", "n", "-nic", nic], "256M", true);
			await delay(25_000);
			await take("installer-boot-menu", await settled(guest, 30_000), other);
			await guest.keys("a");
			await delay(2000);
			await take("installer-boot-menu-more", await guest.frame(), other);
		},
	},
	{
		name: "installer-graphical",
		packages: ["debian-installer-12-netboot-amd64"],
		async record(take) {
			const files = "/usr/lib/debian-installer/images/12/amd64/gtk/debian-installer/amd64";
			const append = "vga=788 video=vesafb:ywrap,mtrr";
			await using guest = await Watched.start(
				[
					"-vga",
					"std",
					"-kernel",
					join(files, "linux"),
					"-initrd",
					join(files, "initrd.gz"),
					"-append",
					append,
				],
				"1G",
			);
			await delay(100_000);
			await take("installer-graphical", await settled(guest), other);
		},
	},
];
