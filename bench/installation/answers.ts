import { suite } from "./installer-packages.ts";
import type { Mirror } from "./mirror.ts";

export interface Wanted {
	hostname: string;
	mirror: Mirror;
	/** URL of the apt proxy, as the installer reaches it. */
	proxy: string;
	/** Hash of root's password, as crypt(5) writes it; the installer takes no other, and asks when it is too short. */
	passwordHash: string;
	/** Public half of the key that root logs in with. */
	sshKey: string;
	packages: readonly string[];
	/** The page that its web server shows. */
	page: string;
}

/**
 * Told to the kernel of what is installed: a serial console beside the screen, and a panic when a non-maskable interrupt
 * comes or the kernel has lost its way. It stays where it panicked: restarting is the host's business.
 */
const kernelOptions = "console=tty0 console=ttyS0 unknown_nmi_panic=1 oops=panic panic=0";

/**
 * Answers to all that Debian's installer asks (Debian's installation guide, appendix B), for a system that is as small as it
 * gets: one partition, nothing that is only recommended.
 * @throws RangeError for a value that would be more than one answer
 */
export function preseed({ hostname, mirror, proxy, sshKey, passwordHash, packages, page }: Wanted): string {
	const { host, pathname } = new URL(mirror.url);
	const answers: [name: string, type: string, value: string][] = [
		// With any other, `locales` is installed and generates some, which takes minutes under emulation.
		["debian-installer/locale", "string", "C"],
		["debian-installer/language", "string", "C"],
		["debian-installer/country", "string", "US"],
		["keyboard-configuration/xkb-keymap", "select", "us"],
		["preseed/early_command", "string", logToSerial],
		["netcfg/choose_interface", "select", "auto"],
		["netcfg/hostname", "string", hostname],
		["netcfg/get_domain", "string", ""],
		["mirror/country", "string", "manual"],
		["mirror/http/hostname", "string", host],
		["mirror/http/directory", "string", pathname],
		["mirror/http/proxy", "string", proxy],
		["mirror/suite", "string", mirror.release],
		["mirror/udeb/suite", "string", suite],
		// Packages are unpacked without a flush for each file: what is half installed is worth nothing anyway.
		["anna/choose_modules", "string", "eatmydata-udeb"],
		["passwd/root-login", "boolean", "true"],
		["passwd/make-user", "boolean", "false"],
		["passwd/root-password-crypted", "password", passwordHash],
		["clock-setup/utc", "boolean", "true"],
		["clock-setup/ntp", "boolean", "false"],
		["time/zone", "string", "Etc/UTC"],
		...partitioning,
		["base-installer/install-recommends", "boolean", "false"],
		["base-installer/kernel/image", "string", "linux-image-amd64"],
		["base-installer/initramfs-tools/driver-policy", "select", "dep"],
		["apt-setup/non-free-firmware", "boolean", "false"],
		["apt-setup/contrib", "boolean", "false"],
		["apt-setup/enable-source-repositories", "boolean", "false"],
		["apt-setup/services-select", "multiselect", ""],
		["hw-detect/load_firmware", "boolean", "false"],
		["pkgsel/run_tasksel", "boolean", "false"],
		["pkgsel/upgrade", "select", "none"],
		["pkgsel/update-policy", "select", "none"],
		["pkgsel/include", "string", packages.join(" ")],
		["grub-installer/only_debian", "boolean", "true"],
		["grub-installer/with_other_os", "boolean", "false"],
		["grub-installer/bootdev", "string", "/dev/vda"],
		["debian-installer/add-kernel-opts", "string", kernelOptions],
		["preseed/late_command", "string", afterwards(sshKey, page)],
		["finish-install/reboot_in_progress", "note", ""],
	];
	return answers
		.map(([name, type, value]) => `d-i ${name} ${type} ${oneLine(value)}`.trimEnd())
		.join("\n")
		.concat("\n");
}

/** The installer's log on the serial console, while its questions are on the screen. What runs on must hold none of its descriptors. */
const logToSerial =
	"(until [ -s /var/log/syslog ]; do sleep 1; done; exec tail -n +1 -f /var/log/syslog >/dev/ttyS0) </dev/null >/dev/null 2>&1 3>&- &";

const partitioning: [string, string, string][] = [
	["partman-auto/disk", "string", "/dev/vda"],
	["partman-auto/method", "string", "regular"],
	[
		"partman-auto/expert_recipe",
		"string",
		"root :: 1000 10000 -1 ext4 $primary{ } $bootable{ } method{ format } format{ } use_filesystem{ } filesystem{ ext4 } mountpoint{ / } .",
	],
	["partman-auto/choose_recipe", "select", "root"],
	["partman-basicfilesystems/no_swap", "boolean", "false"],
	["partman-partitioning/confirm_write_new_label", "boolean", "true"],
	["partman/choose_partition", "select", "finish"],
	["partman/confirm", "boolean", "true"],
	["partman/confirm_nooverwrite", "boolean", "true"],
];

function afterwards(sshKey: string, page: string): string {
	return [
		"mkdir -m 700 /target/root/.ssh",
		`echo ${quoted(sshKey)} >/target/root/.ssh/authorized_keys`,
		`echo ${quoted(page)} >/target/var/www/html/index.html`,
	].join("; ");
}

function quoted(text: string): string {
	if (!/^[\w +/=@.,:<>-]*$/.test(text))
		throw new RangeError(`not to be put into the installer's answers: ${text}`);
	return `'${text}'`;
}

function oneLine(text: string): string {
	if (/[\n\\]/.test(text)) throw new RangeError(`not one line: ${text}`);
	return text;
}
