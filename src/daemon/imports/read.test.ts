import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { run } from "../../host/command.ts";
import { longestDescription } from "../../templates/import/described.ts";

/**
 * What takes more than linear time here stops the daemon: 4 MiB of it take minutes, or hours. In a process of its own, as
 * nothing else ends an expression that goes on.
 */
const reader = `
import { readDescription } from ${JSON.stringify(fileURLToPath(new URL("read.ts", import.meta.url)))};
let text = "";
for await (const part of process.stdin.setEncoding("utf8")) text += part;
try {
	process.stdout.write(readDescription(text, process.argv[1])?.kind ?? "none");
} catch (error) {
	process.stdout.write(error.name + ": " + error.message);
}`;
const deadlineMs = 15_000;

const read = async (text: string, name: string) => {
	const args = ["--disable-warning=ExperimentalWarning", "--input-type=module", "-e", reader, name];
	return (await run(process.execPath, args, { input: text, deadlineMs })).stdout;
};

/** As much as is read, with as many of one line as fit between two others. */
const filled = (before: string, line: (i: number) => string, after = "") => {
	const lines = [];
	for (let i = 0, room = longestDescription - before.length - after.length; room > 0; i++) {
		const next = line(i);
		room -= next.length;
		if (room >= 0) lines.push(next);
	}
	return before + lines.join("") + after;
};
const part = (share: number, sign: string) => sign.repeat(Math.floor(longestDescription * share));

const vmx = 'config.version = "8"\nscsi0.present = "TRUE"\n';
const conf = "memory: 1024\nscsi0: local:1/x.raw\n";
const domain = (inner: string) => `<domain><name>x</name><devices>${inner}</devices></domain>`;
const libvirtDisk = "<disk><target bus='scsi'/></disk>";

test.each<[what: string, name: string, text: () => string, said: RegExp]>([
	["empty lines", "a.img", () => filled("x", () => "\n", "y"), /^none$/],
	["blank lines", "a.img", () => filled("x", () => " \n", "y"), /^none$/],
	["blanks", "a.img", () => filled("x", () => " ", "y"), /^none$/],
	["a disk of Proxmox' without a volume", "a", () => filled("scsi0:", () => "\n"), /^none$/],
	[
		"blanks within a .vmx",
		"a.vmx",
		() => filled(`${vmx}a${part(0.5, " ")}\nb = "`, () => '" '),
		/without a disk/,
	],
	[
		".vmx with many disks",
		"a.vmx",
		() => filled(vmx, (i) => `scsi0:${i}.fileName = "x.vmdk"\n`),
		/the most are 17/,
	],
	[
		".vmx with many disks of a long controller",
		"a.vmx",
		() => filled(`${vmx}scsi0.virtualDev = "${part(0.5, "x")}"\n`, (i) => `scsi0:${i}.fileName="x.vmdk"\n`),
		/the most are 17/,
	],
	[
		"a .vmx of a long system",
		"a.vmx",
		() => filled(`${vmx}scsi0:0.fileName = "x.vmdk"\nguestOS = "`, () => "win", '"'),
		/^vmx$/,
	],
	["blanks within a .conf", "a", () => filled(`${conf}name: x`, () => " ", "y\n"), /^proxmox$/],
	["a .conf with a long bracket", "a", () => filled(`${conf}[]`, () => " ", "y\n"), /^proxmox$/],
	[".conf with many disks", "a", () => filled(conf, (i) => `scsi${i}: a:x\n`), /the most are 17/],
	[
		".conf with many disks of a long controller",
		"a",
		() => filled(`${conf}scsihw: ${part(0.5, "x")}\n`, (i) => `scsi${i}: a:x\n`),
		/the most are 17/,
	],
	[".conf with many cards", "a", () => filled(conf, (i) => `net${i}: virtio\n`), /the most are 64/],
	[
		"libvirt with many cards",
		"a.xml",
		() => domain(libvirtDisk + "<interface/>".repeat(45_000)),
		/the most are 64/,
	],
	[
		"libvirt with many disks and controllers",
		"a.xml",
		() => domain(libvirtDisk.repeat(12_000) + "<controller type='scsi' index='1'/>".repeat(24_000)),
		/the most are 17/,
	],
	[
		"OVF with many disks",
		"a.ovf",
		() =>
			`<Envelope><References/><DiskSection>${"<Disk/>".repeat(20_000)}</DiskSection><VirtualSystem><VirtualHardwareSection>${"<Item><ResourceType>17</ResourceType></Item>".repeat(14_000)}</VirtualHardwareSection></VirtualSystem></Envelope>`,
		/the most are 17/,
	],
	["XML with many attributes", "a.xml", () => filled("<domain", (i) => ` a${i}=''`, "/>"), /without a disk/],
	[
		"XML with many comments",
		"a.xml",
		() => filled("<domain>", () => "x<!---->", "</domain>"),
		/without a disk/,
	],
	[
		"XML with many signs by name",
		"a.xml",
		() => filled("<domain>", () => "&lt;", "</domain>"),
		/without a disk/,
	],
	["XML with an entity that does not end", "a.xml", () => filled("<domain>&", () => "x"), /no XML/],
	["XML with a long name", "a.xml", () => filled("<domain></", () => "x", ">"), /no XML/],
])("%s: 4 MiB are answered", async (_, name, text, said) => {
	const long = text();
	expect(long.length).toBeLessThanOrEqual(longestDescription);
	expect(await read(long, name)).toMatch(said);
});
