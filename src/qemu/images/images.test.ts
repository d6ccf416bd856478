import {
	copyFile,
	lstat,
	mkdir,
	mkdtemp,
	open,
	readdir,
	readFile,
	rename,
	rm,
	symlink,
	truncate,
	writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run } from "../../host/command.ts";
import { tarEnd, tarHeader, tarPadding } from "../../host/tar.ts";
import { ImageError } from "../image.ts";
import { copyImage } from "./copy.ts";
import { checkWhole, type Examination, measure, openImage } from "./examine.ts";

/** Images of every format, made by qemu-img, and the same with something wrong: read in the confined process, as root. */

const uid = 1_950_000_000;
let folder = "";
let disk = "";
const at = (name: string) => join(folder, name);
const sh = async (command: string) => await run("sh", ["-c", command], { deadlineMs: 60_000, cwd: folder });
const examination = (): Examination => ({ uid, target: folder });

/** What `createServer` does with an image: looks at it, and copies it. */
async function take(name: string, progress: number[] = []): Promise<string> {
	await using image = await openImage(at(name), examination());
	await checkWhole(image, examination());
	const mostBytes = await measure(image, "qcow2", examination());
	const to = at("taken.qcow2");
	await rm(to, { force: true });
	await copyImage(image, to, {
		...examination(),
		format: "qcow2",
		mostBytes,
		onProgress: (fraction) => progress.push(fraction),
	});
	return to;
}

async function refused(name: string): Promise<string> {
	const before = await marks();
	const error = await take(name).then(
		() => undefined,
		(error: unknown) => error,
	);
	expect(error).toBeInstanceOf(ImageError);
	expect(await marks()).toEqual(before);
	const { message } = error as ImageError;
	expect(message.startsWith(at(name)), message).toBe(true);
	return message.slice(at(name).length + 1);
}

/** Whoever writes to a file changes these. */
async function marks(): Promise<string[]> {
	const names = (await readdir(folder)).filter((name) => !name.startsWith("taken")).sort();
	return await Promise.all(
		names.map(async (name) => {
			const { ino, size, mtimeNs, ctimeNs } = await lstat(at(name), { bigint: true });
			return `${name} ${ino} ${size} ${mtimeNs} ${ctimeNs}`;
		}),
	);
}

beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), "bulkhead-images-"));
	disk = at("disk.raw");
	const bytes = Buffer.alloc(3 * 2 ** 20);
	for (let i = 0; i < 2 ** 20; i += 4) bytes.writeUInt32LE((i * 2_654_435_761) % 2 ** 32, i);
	bytes.fill(0, 446, 512);
	// One partition, from sector 2048 to the end; and data in the disk's very last sector.
	bytes.writeUInt8(0x83, 450);
	bytes.writeUInt32LE(2048, 454);
	bytes.writeUInt32LE(3 * 2048 - 2048, 458);
	bytes.writeUInt16LE(0xaa55, 510);
	bytes.write("THE END", bytes.length - 512);
	await writeFile(disk, bytes, { mode: 0o600 });
	const vmdk = (kind: string) => `qemu-img convert -O vmdk -o subformat=${kind} disk.raw ${kind}.vmdk`;
	await sh(
		[
			"qemu-img convert -O qcow2 disk.raw plain.qcow2",
			"qemu-img convert -c -O qcow2 disk.raw packed.qcow2",
			...[
				"monolithicSparse",
				"monolithicFlat",
				"twoGbMaxExtentSparse",
				"twoGbMaxExtentFlat",
				"streamOptimized",
			].map(vmdk),
			"qemu-img convert -O vpc -o force_size=on disk.raw dynamic.vhd",
			"qemu-img convert -O vpc -o force_size=on,subformat=fixed disk.raw fixed.vhd",
			"qemu-img convert -O vhdx disk.raw dynamic.vhdx",
			"qemu-img convert -O vhdx -o subformat=fixed disk.raw fixed.vhdx",
			"qemu-img convert -O vdi disk.raw dynamic.vdi",
			"tar --format=ustar -cf both.ova streamOptimized.vmdk disk.raw plain.qcow2",
			"chmod 600 *.vmdk",
		].join("\n"),
	);
	await mkdir(at("folder"));
	await writeFile(at("streamed.vmdk"), asStream(await readFile(at("streamOptimized.vmdk"))));
}, 60_000);
afterAll(async () => await rm(folder, { recursive: true, force: true }));

describe("whole images", () => {
	test.each([
		"disk.raw",
		"plain.qcow2",
		"packed.qcow2",
		"monolithicSparse.vmdk",
		"monolithicFlat.vmdk",
		"twoGbMaxExtentSparse.vmdk",
		"twoGbMaxExtentFlat.vmdk",
		"streamOptimized.vmdk",
		"streamed.vmdk",
		"dynamic.vhd",
		"fixed.vhd",
		"dynamic.vhdx",
		"fixed.vhdx",
		"dynamic.vdi",
		"both.ova#streamOptimized.vmdk",
		"both.ova#disk.raw",
		"both.ova#plain.qcow2",
	])("%s is copied, the same to the last sector, and stays as it was", async (name) => {
		const before = await marks();
		const progress: number[] = [];
		const taken = await take(name, progress);
		await run("qemu-img", ["compare", "-f", "raw", "-F", "qcow2", disk, taken], { deadlineMs: 60_000 });
		expect(progress.at(-1)).toBe(1);
		expect(await marks()).toEqual(before);
	});

	test.each(
		["vbox", "wa\0\0", "vpc ", "qemu", "win "].flatMap((creator): [string, string][] => [
			["dynamic", creator],
			["fixed", creator],
		]),
	)(
		"a %s VHD of the creator %j, whose geometry is a little smaller, is copied to the last sector",
		async (kind, creator) => {
			const name = await madeBy(creator, `${kind}.vhd`, "made.vhd");
			const taken = await take(name);
			await run("qemu-img", ["compare", "-f", "raw", "-F", "qcow2", disk, taken], {
				deadlineMs: 60_000,
			});
		},
	);

	test("names may have signs that mean something to QEMU", async () => {
		await copyFile(at("monolithicSparse.vmdk"), at("a, b#c=d:e.vmdk"));
		await take("a, b#c=d:e.vmdk");
		await copyFile(disk, at("raw, b#c=d:e"));
		await take("raw, b#c=d:e");
	});
});

/** As VMware writes it: the header says that its directory is known at the end, where a footer says where. */
function asStream(vmdk: Buffer): Buffer {
	const whole = Buffer.concat([vmdk, Buffer.alloc((512 - (vmdk.length % 512)) % 512)]);
	const footer = Buffer.from(whole.subarray(0, 512));
	const marker = Buffer.alloc(512);
	marker.writeUInt32LE(1, 0);
	marker.writeUInt32LE(3, 12);
	whole.writeBigUInt64LE(2n ** 64n - 1n, 56);
	return Buffer.concat([whole, marker, footer, Buffer.alloc(512)]);
}

/** A copy of a VHD, as another program would have made it: with its name, and the geometry that the specification reckons. */
async function madeBy(creator: string, from: string, to: string): Promise<string> {
	const vhd = await readFile(at(from));
	const ends = [0, vhd.length - 512].map((place) => vhd.subarray(place, place + 512));
	for (const footer of ends.filter((end) => end.toString("latin1", 0, 8) === "conectix")) {
		footer.write(creator, 28, "latin1");
		// 90 × 4 × 17 of 6144 sectors.
		footer.set([0, 90, 4, 17], 56);
		footer.writeUInt32BE(0, 64);
		footer.writeUInt32BE(~footer.reduce((sum, byte) => sum + byte, 0) >>> 0, 64);
	}
	await writeFile(at(to), vhd);
	return to;
}

/** Writes over some bytes of a copy. */
async function changed(
	from: string,
	to: string,
	...patches: [offset: number, bytes: Buffer | string][]
): Promise<string> {
	await copyFile(at(from), at(to));
	await using file = await open(at(to), "r+");
	const { size } = await file.stat();
	for (const [offset, bytes] of patches) {
		const data = Buffer.from(bytes as string, "latin1");
		await file.write(data, 0, data.length, offset < 0 ? size + offset : offset);
	}
	return to;
}

async function shortened(from: string, to: string, by: number): Promise<string> {
	await copyFile(at(from), at(to));
	await using file = await open(at(to), "r+");
	await file.truncate((await file.stat()).size - by);
	return to;
}

const be64 = (value: bigint) => {
	const bytes = Buffer.alloc(8);
	bytes.writeBigUInt64BE(value);
	return bytes;
};
const le64 = (value: bigint) => be64(value).reverse();

describe("cut off", () => {
	test.each([
		["disk.raw", 100, /cut off: its \d+ bytes are no whole number of sectors; copy it again/],
		["disk.raw", 512, /partition table names sectors beyond its end/],
		["plain.qcow2", 65_536, /./],
		["plain.qcow2", 100, /no whole number of sectors/],
		["packed.qcow2", 65_536, /./],
		["monolithicSparse.vmdk", 512, /a grain lies beyond its end/],
		["streamOptimized.vmdk", 65_536, /cut off/],
		["streamed.vmdk", 512, /the end marker of a stream-optimized VMDK is missing/],
		["streamed.vmdk", 2048, /the end marker of a stream-optimized VMDK is missing/],
		["dynamic.vhd", 512, /footer at its end is missing/],
		["fixed.vhd", 512, /is no VHD, or cut off/],
		["dynamic.vhdx", 7 * 2 ** 20, /cut off|truncated|cannot be read/],
		["dynamic.vdi", 512, /shorter than its blocks/],
		["both.ova", 10_240 + 512, /cut off/],
	])("%s by %d bytes", async (name, by, words) => {
		const short = await shortened(name, `short-${by}-${name}`, by);
		expect(await refused(name === "both.ova" ? `${short}#plain.qcow2` : short)).toMatch(words);
	});

	test("a part of a split disk", async () => {
		await sh(
			"mkdir -p cut-folder && cp twoGbMaxExtent* monolithicFlat* cut-folder/ && truncate -s -512 cut-folder/*-s001.vmdk cut-folder/*-f001.vmdk cut-folder/*-flat.vmdk",
		);
		for (const name of ["twoGbMaxExtentSparse", "twoGbMaxExtentFlat", "monolithicFlat"])
			expect(await refused(`cut-folder/${name}.vmdk`)).toMatch(/cut off|lies beyond its end/);
	});
});

describe("claims", () => {
	test.each([
		["plain.qcow2", [24, be64(2n ** 62n)], /claims a size|cannot be read/],
		["plain.qcow2", [24, be64(2n ** 50n)], /claims to be|cannot be read/],
		["monolithicSparse.vmdk", [12, le64(2n ** 60n)], /claims sizes that no VMDK has/],
		["dynamic.vdi", [0x170, le64(2n ** 55n)], /claims|cannot be read/],
		["dynamic.vhdx", [196_608 + 4, Buffer.alloc(64)], /damaged|cannot be read/],
	] as const)("%s: %j", async (name, patch, words) => {
		const [offset, bytes] = patch;
		expect(
			await refused(await changed(name, `huge-${offset}-${bytes.length}-${name}`, [offset, bytes])),
		).toMatch(words);
	});

	test("a disk of more than 64 TiB", async () => {
		await sh("qemu-img create -q -f qcow2 -o cluster_size=2M vast.qcow2 100T");
		expect(await refused("vast.qcow2")).toMatch(/^claims to be a disk of 100TiB; the most is 64TiB/);
	});

	test("a VHD of sizes that its blocks do not have", async () => {
		const huge = Buffer.alloc(4, 0xff);
		expect(await refused(await changed("dynamic.vhd", "blocks.vhd", [512 + 28, huge]))).toMatch(/damaged/);
	});
});

describe("leaning on other files", () => {
	test("each format's own way", async () => {
		await sh("qemu-img create -q -f qcow2 -b plain.qcow2 -F qcow2 leaning.qcow2");
		expect(await refused("leaning.qcow2")).toMatch(/depends on another file \(a backing file\)/);
		await sh(
			"qemu-img create -q -f qcow2 -o data_file=/etc/shadow.raw,data_file_raw=on elsewhere.qcow2 8M; rm -f /etc/shadow.raw",
		);
		expect(await refused("elsewhere.qcow2")).toMatch(/keeps its data in another file/);
		await sh("qemu-img create -q -f vmdk -b monolithicSparse.vmdk -F vmdk leaning.vmdk");
		expect(await refused("leaning.vmdk")).toMatch(
			/snapshot that depends on another file; delete all snapshots/,
		);
		expect(await refused(await changed("dynamic.vdi", "leaning.vdi", [0x4c, "\x04"]))).toMatch(/snapshot/);
	});

	test("a differencing VHD and VHDX", async () => {
		await copyFile(at("dynamic.vhd"), at("leaning.vhd"));
		await using file = await open(at("leaning.vhd"), "r+");
		const { size } = await file.stat();
		const footer = Buffer.alloc(512);
		await file.read(footer, 0, 512, size - 512);
		footer.writeUInt32BE(4, 60);
		footer.writeUInt32BE(0, 64);
		footer.writeUInt32BE(~footer.reduce((sum, byte) => sum + byte, 0) >>> 0, 64);
		await file.write(footer, 0, 512, size - 512);
		expect(await refused("leaning.vhd")).toMatch(/differencing VHD.*Merge-VHD/);
		const vhdx = await readFile(at("dynamic.vhdx"));
		const item = vhdx.indexOf(Buffer.from("3767a1ca36fa434db3b633f0aa44e76b", "hex"));
		const table = vhdx.indexOf("metadata");
		const flags = table + vhdx.readUInt32LE(item + 16) + 4;
		expect(await refused(await changed("dynamic.vhdx", "leaning.vhdx", [flags, "\x02"]))).toMatch(/AVHDX/);
	});

	test.each([
		'RW 6144 FLAT "/etc/shadow" 0',
		'RW 6144 FLAT "../secret" 0',
		'RW 6144 FLAT "nbd:localhost:10809" 0',
		'RW 6144 FLAT "link.raw" 0',
		'RW 6144 FLAT "missing.raw" 0',
		'RW 6144 FLAT "folder" 0',
		'RW 99999999 FLAT "disk.raw" 0',
		'RW 6144 SPARSE "disk.raw"',
		'RW 6144 VMFSRDM "disk.raw"',
		"NOACCESS 1 ZERO",
	])("a VMDK that names: %s", async (line) => {
		await symlink("/etc/shadow", at("link.raw")).catch(() => {});
		const text = `# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\ncreateType="monolithicFlat"\n${line}\n`;
		await writeFile(at("names.vmdk"), text);
		expect(await refused("names.vmdk")).toMatch(
			/outside of its own folder|link to elsewhere|lacks its part|no plain file|cut off|of another kind|not taken/,
		);
	});
});

describe("not for us", () => {
	test("what was not closed, or is in use", async () => {
		expect(await refused(await changed("plain.qcow2", "dirty.qcow2", [72 + 7, "\x01"]))).toMatch(
			/was not closed/,
		);
		expect(await refused(await changed("plain.qcow2", "corrupt.qcow2", [72 + 7, "\x02"]))).toMatch(
			/marked as corrupt/,
		);
		expect(await refused(await changed("monolithicSparse.vmdk", "dirty.vmdk", [72, "\x01"]))).toMatch(
			/was not closed/,
		);
		const log = Buffer.alloc(16, 7);
		const dirty = await changed("dynamic.vhdx", "dirty.vhdx", [65_536 + 48, log], [131_072 + 48, log]);
		expect(await refused(dirty)).toMatch(/was not closed: changes wait in its log/);
		await copyFile(at("monolithicFlat.vmdk"), at("busy.vmdk"));
		await mkdir(at("busy.vmdk.lck"));
		expect(await refused("busy.vmdk")).toMatch(/in use by VMware/);
		await rm(at("busy.vmdk.lck"), { recursive: true });
	});

	test("encrypted ones", async () => {
		const secret = "--object secret,id=s,data=abc";
		// Not luks: making that measures the processor, and gives up now and then ("Unable to get accurate CPU usage").
		await sh(
			`qemu-img create -q ${secret} -f qcow2 -o encrypt.format=aes,encrypt.key-secret=s secret.qcow2 1M`,
		);
		expect(await refused("secret.qcow2")).toMatch(/is encrypted/);
	});

	test("damage that the format's own check finds", async () => {
		// Two entries of the L2 table that lead to one cluster.
		const image = await readFile(at("plain.qcow2"));
		const table = Number(image.readBigUInt64BE(Number(image.readBigUInt64BE(40))) & 0x00fffffffffffe00n);
		const twice = await changed("plain.qcow2", "twice.qcow2", [table + 8, image.subarray(table, table + 8)]);
		expect(await refused(twice)).toMatch(/is damaged/);
	});

	test("what is no image at all", async () => {
		await sh(
			"mkfifo fifo; gzip -k -c disk.raw > disk.raw.gz; echo 'displayName = \"x\"' > x.vmx; : > nothing; head -c 100000 /dev/urandom | base64 > text",
		);
		expect(await refused("fifo")).toMatch(/neither a file nor a block device/);
		expect(await refused("folder")).toMatch(/neither a file nor a block device/);
		expect(await refused("disk.raw.gz")).toMatch(/is compressed \(gzip\); unpack it first/);
		expect(await refused("x.vmx")).toMatch(/is a text/);
		expect(await refused("text")).toMatch(/is a text/);
		expect(await refused("nothing")).toMatch(/is empty/);
		expect(await refused("both.ova")).toMatch(/name the disk in it/);
		expect(await refused("both.ova#none")).toMatch(/there is no "none" in the archive/);
		expect(await refused("none.raw")).toMatch(/cannot be read as a disk image: there is no such file/);
		await expect(openImage("/dev/null", examination())).rejects.toThrow("neither a file nor a block device");
	});

	test("an archive that is damaged, or names something twice", async () => {
		const content = Buffer.alloc(512, 1);
		const header = tarHeader("a", 512, new Date(0));
		const bad = Buffer.from(header);
		bad[0] = 0x62;
		await writeFile(at("bad.ova"), Buffer.concat([bad, content, tarPadding(512), tarEnd()]));
		expect(await refused("bad.ova#a")).toMatch(/checksum of a header is wrong/);
		await writeFile(at("two.ova"), Buffer.concat([header, content, header, content, tarEnd()]));
		expect(await refused("two.ova#a")).toMatch(/holds a twice/);
		const outside = tarHeader("x/../../a", 512, new Date(0));
		await writeFile(at("out.ova"), Buffer.concat([outside, content, tarEnd()]));
		expect(await refused("out.ova#a")).toMatch(/a name that leads out of it/);
		await sh("ln -sf /etc/shadow a-link; tar --format=ustar -cf linked.ova a-link");
		expect(await refused("linked.ova#a-link")).toMatch(/which is no plain file/);
	});

	test("one that changes while it is copied", async () => {
		await copyFile(disk, at("moving.raw"));
		await using image = await openImage(at("moving.raw"), examination());
		const mostBytes = await measure(image, "qcow2", examination());
		await writeFile(at("new"), await readFile(disk));
		await rename(at("new"), at("moving.raw"));
		const copying = { ...examination(), format: "qcow2", mostBytes };
		await expect(copyImage(image, at("taken2.qcow2"), copying)).rejects.toThrow(/has changed meanwhile/);
		expect(await readdir(folder)).not.toContain("taken2.qcow2");
	});
});

test("a copy that is given up leaves nothing", async () => {
	await truncate(at("nothing-much"), 0).catch(async () => await writeFile(at("nothing-much"), ""));
	await truncate(at("nothing-much"), 64 * 2 ** 20);
	await using image = await openImage(at("nothing-much"), examination());
	const aborted = AbortSignal.abort(new Error("given up"));
	const copying = { ...examination(), format: "qcow2", mostBytes: 2 ** 30, signal: aborted };
	await expect(copyImage(image, at("taken3.qcow2"), copying)).rejects.toThrow("given up");
	const little = { ...examination(), format: "raw", options: "preallocation=full", mostBytes: -63 * 2 ** 20 };
	await expect(copyImage(image, at("taken3.qcow2"), little)).rejects.toThrow(/was given up|cannot be read/);
	expect(await readdir(folder)).not.toContain("taken3.qcow2");
});
