import { spawnSync } from "node:child_process";
import {
	closeSync,
	copyFileSync,
	fstatSync,
	mkdirSync,
	mkdtempSync,
	openSync,
	readFileSync,
	readSync,
	rmSync,
	symlinkSync,
	truncateSync,
	writeFileSync,
	writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { confined, inspectWindowsIso } from "./inspect-iso.ts";
import { inspect } from "./iso/inspect.ts";
import { openIso9660 } from "./iso/iso9660.ts";
import { BadImage, fileSource, type Source, sourceOf } from "./iso/source.ts";
import { openUdf } from "./iso/udf.ts";
import { readWim } from "./iso/wim.ts";
import { parseXml } from "./iso/xml.ts";

/** Real images, made by genisoimage, xorriso and wimlib; and the same ones with something wrong in them. */
const top = mkdtempSync(join(tmpdir(), "bulkhead-iso-"));
const at = (name: string) => join(top, name);

function tool(program: string, ...words: string[]): void {
	const { status, stderr } = spawnSync(program, words, { encoding: "utf8" });
	expect(`${program}: ${status} ${status === 0 ? "" : stderr}`).toBe(`${program}: 0 `);
}

interface Edition {
	name: string;
	description?: string;
	properties?: Record<string, string | number>;
}
const windows = (build: number, id: string, type: string, language = "en-US") => ({
	"WINDOWS/ARCH": 9,
	"WINDOWS/EDITIONID": id,
	"WINDOWS/INSTALLATIONTYPE": type,
	"WINDOWS/VERSION/BUILD": build,
	"WINDOWS/LANGUAGES/LANGUAGE": language,
});

/** A folder with a WIM file of these editions in it. */
function wim(path: string, editions: readonly Edition[], ...options: string[]): string {
	mkdirSync(dirname(path), { recursive: true });
	mkdirSync(at("content"), { recursive: true });
	writeFileSync(at("content/file"), "content");
	for (const [index, { name, description = "", properties = {} }] of editions.entries())
		tool(
			"wimlib-imagex",
			index === 0 ? "capture" : "append",
			at("content"),
			path,
			name,
			description,
			...Object.entries(properties).map(([key, value]) => `--image-property=${key}=${value}`),
			...(index === 0 ? options : []),
		);
	return path;
}

const server2022: Edition[] = [
	{
		name: "Windows Server 2022 SERVERSTANDARDCORE",
		description: "Standard",
		properties: windows(20348, "ServerStandard", "Server Core"),
	},
	{
		name: "Windows Server 2022 SERVERSTANDARD",
		description: "Standard & Desktopdarstellung <ü>",
		properties: windows(20348, "ServerStandard", "Server"),
	},
	{ name: "Windows Server 2022 SERVERDATACENTER", properties: windows(20348, "ServerDatacenter", "Server") },
];

/** In UDF alone, as on Microsoft's media: ISO 9660 has a note in its place. */
function udfOnly(image: string, tree: string, label: string): void {
	writeFileSync(join(tree, "README.TXT"), "This disc contains a UDF file system\n");
	tool(
		"genisoimage",
		"-quiet",
		"-udf",
		"-V",
		label,
		"-hide",
		"sources",
		"-hide-joliet",
		"nothing",
		"-o",
		image,
		tree,
	);
}

beforeAll(() => {
	wim(at("server/sources/install.wim"), server2022);
	udfOnly(at("server.iso"), at("server"), "SSS_X64FREE_EN-US_DV9");
});
afterAll(() => rmSync(top, { recursive: true, force: true }));

function withSource<T>(file: string, use: (source: Source) => T): T {
	const descriptor = openSync(file, "r");
	try {
		const { size } = fstatSync(descriptor);
		return use(sourceOf(size, (buffer, offset) => readSync(descriptor, buffer, 0, buffer.length, offset)));
	} finally {
		closeSync(descriptor);
	}
}

describe("an ISO as Microsoft makes them", () => {
	test("tells its label, its version and its editions", async () => {
		const found = await inspectWindowsIso(at("server.iso"));
		expect(found).toMatchObject({
			label: "SSS_X64FREE_EN-US_DV9",
			version: "windows-server-2022",
			image: "sources/install.wim",
		});
		expect(found.editions[1]).toEqual({
			index: 2,
			name: "Windows Server 2022 SERVERSTANDARD",
			description: "Standard & Desktopdarstellung <ü>",
			editionId: "ServerStandard",
			installationType: "Server",
			architecture: "amd64",
			build: 20348,
			languages: ["en-US"],
		});
		expect(found.editions.map(({ name }) => name)).toEqual(server2022.map(({ name }) => name));
	});
	test("has it in UDF alone, where 7-Zip finds the same file", () => {
		withSource(at("server.iso"), (source) => {
			expect(openIso9660(source)?.find("sources/install.wim")).toBeUndefined();
			expect(openIso9660(source)?.find("readme.txt")?.size).toBe(37);
			const file = openUdf(source)?.find("Sources/INSTALL.WIM");
			const real = readFileSync(at("server/sources/install.wim"));
			expect(file?.size).toBe(real.length);
			if (file) expect(fileSource(source, file).read(0, file.size).equals(real)).toBe(true);
			expect(openUdf(source)?.find("sources")).toBeUndefined();
			expect(openUdf(source)?.find("sources/boot.wim")).toBeUndefined();
		});
	});
	test("is read through a link to it, whatever its name", async () => {
		const name = at("-it's $(x) \"`.iso");
		symlinkSync(at("server.iso"), name);
		expect((await inspectWindowsIso(name)).version).toBe("windows-server-2022");
	});
});

test.each([
	["windows-server-2025", 26100, "ServerStandard", "Server"],
	["windows-server-2019", 17763, "ServerStandard", "Server"],
	["windows-server-2016", 14393, "ServerStandard", "Server"],
	["windows-server-2012-r2", 9600, "ServerStandard", "Server"],
	["windows-server-2008-r2", 7601, "ServerStandard", "Server"],
	["windows-11", 26100, "Professional", "Client"],
	["windows-11", 22000, "Professional", "Client"],
	["windows-10", 19041, "Professional", "Client"],
	["windows-7", 7601, "Professional", "Client"],
	[null, 9200, "ServerStandard", "Server"],
	[null, 9600, "Professional", "Client"],
	[null, 6001, "ServerStandard", "Server"],
])("%s is known by build %i of %s", (version, build, id, type) => {
	const tree = mkdtempSync(at("version-"));
	wim(join(tree, "sources/install.wim"), [{ name: "Any", properties: windows(build, id, type) }]);
	tool("genisoimage", "-quiet", "-udf", "-V", "X", "-o", `${tree}.iso`, tree);
	expect(withSource(`${tree}.iso`, inspect).version).toBe(version);
});

test("an image made by xorriso, without UDF, is read too", () => {
	tool("xorriso", "-no_rc", "-as", "mkisofs", "-quiet", "-V", "PLAIN", "-o", at("plain.iso"), at("server"));
	const found = withSource(at("plain.iso"), inspect);
	expect(found).toMatchObject({ label: "PLAIN", version: "windows-server-2022" });
});

test.each(["--solid", "--compress=none", "--compress=LZX"])("a WIM made with %s", (option) => {
	const tree = mkdtempSync(at("kind-"));
	wim(join(tree, "sources/install.esd"), server2022.slice(1, 2), option);
	tool("genisoimage", "-quiet", "-udf", "-V", "X", "-o", `${tree}.iso`, tree);
	expect(withSource(`${tree}.iso`, inspect)).toMatchObject({
		image: "sources/install.esd",
		version: "windows-server-2022",
	});
});

test("one that is split over several files", () => {
	const tree = mkdtempSync(at("split-"));
	mkdirSync(join(tree, "sources"));
	tool("wimlib-imagex", "split", at("server/sources/install.wim"), join(tree, "sources/install.swm"), "1");
	tool("genisoimage", "-quiet", "-udf", "-V", "X", "-o", `${tree}.iso`, tree);
	expect(withSource(`${tree}.iso`, inspect)).toMatchObject({
		image: "sources/install.swm",
		editions: [{ index: 1 }, { index: 2 }, { index: 3 }],
	});
});

test.each([
	["windows-server-2003", ["WIN51", "WIN51IS"]],
	["windows-2000", ["CDROM_NT.5", "CDROM_IS.5"]],
] as const)("%s is known by the files of its CD", async (version, files) => {
	const tree = mkdtempSync(at("old-"));
	mkdirSync(join(tree, "I386"));
	writeFileSync(join(tree, "I386/TXTSETUP.SIF"), "x");
	for (const file of files) writeFileSync(join(tree, file), "Windows\n");
	tool("genisoimage", "-quiet", "-V", "OLD", "-o", `${tree}.iso`, tree);
	expect(await inspectWindowsIso(`${tree}.iso`)).toEqual({
		label: "OLD",
		version,
		image: null,
		editions: [],
	});
});

describe("what is no Windows medium is refused in one sentence", () => {
	const refused = async (file: string) =>
		await inspectWindowsIso(file).then(
			() => "taken",
			(error: { code: string; message: string }) => `${error.code}: ${error.message.replace(file, "FILE")}`,
		);
	test("another system's ISO", async () => {
		mkdirSync(at("other"));
		writeFileSync(at("other/README"), "x");
		tool("genisoimage", "-quiet", "-udf", "-V", "DEBIAN", "-o", at("other.iso"), at("other"));
		expect(await refused(at("other.iso"))).toBe(
			"bad-input: FILE: it is no Windows installation medium: there is no sources/install.wim or .esd on it",
		);
	});
	test.each([
		["no such file", "missing.iso", "bad-input: FILE: there is no such file"],
		["a folder", "server", "bad-input: FILE is no file; name the ISO itself"],
	])("%s", async (_, name, words) => {
		expect(await refused(at(name))).toBe(words);
	});
	test("a pipe, without waiting for its other end", async () => {
		tool("mkfifo", at("pipe"));
		expect(await refused(at("pipe"))).toBe("bad-input: FILE is no file; name the ISO itself");
	});
	test.each([
		["an empty file", Buffer.alloc(0)],
		["zeros", Buffer.alloc(2 ** 20)],
		["text", Buffer.from("not an image\n".repeat(100_000))],
	])("%s", async (_, content) => {
		writeFileSync(at("bad.iso"), content);
		expect(await refused(at("bad.iso"))).toBe(
			"bad-input: FILE: it is no ISO image: neither UDF nor ISO 9660 is on it",
		);
	});
});

describe("what the reader is confined to", () => {
	const inside = (script: string) => {
		const [program = "", ...words] = confined(["sh", "-c", script]);
		return spawnSync(program, words, { encoding: "utf8", timeout: 20_000 });
	};
	test("no files of the host but /usr and itself", () => {
		expect(inside("ls -A /").stdout.trim().split("\n").sort()).toEqual(
			["bin", "dev", "lib", "lib64", "reader", "sbin", "usr"].sort(),
		);
		expect(inside("cat /etc/passwd || cat /var/log/*").status).not.toBe(0);
	});
	test("nobody's user, without a right, and nothing can be written", () => {
		expect(inside("id -u; id -G").stdout).toBe("65534\n65534\n");
		expect(inside("echo x > /reader/x || echo x > /x || echo x > /dev/x").status).not.toBe(0);
		expect(inside("grep -c . /proc/self/status").status).not.toBe(0);
	});
	test("no network", () => {
		const { stdout } = inside(
			"perl -MSocket -e 'socket(S, AF_INET, SOCK_STREAM, 0) or die; print connect(S, sockaddr_in(80, inet_aton(q(192.0.2.1)))) ? 1 : $!'",
		);
		expect(stdout).toMatch(/unreachable/);
	});
	test("its time and memory", () => {
		expect(inside("ulimit -t; ulimit -c; ulimit -n; ulimit -f").stdout).toBe("15\n0\n64\n0\n");
	});
});

/** A copy of the good image with some bytes changed. */
function spoiled(change: (patch: (offset: number, bytes: Buffer) => void, data: Buffer) => void): string {
	const file = at("spoiled.iso");
	copyFileSync(at("server.iso"), file);
	const data = readFileSync(file);
	const descriptor = openSync(file, "r+");
	try {
		change((offset, bytes) => void writeSync(descriptor, bytes, 0, bytes.length, offset), data);
	} finally {
		closeSync(descriptor);
	}
	return file;
}
const number = (value: number, width: 4 | 8) => {
	const buffer = Buffer.alloc(width);
	buffer.writeUIntLE(value, 0, Math.min(width, 6));
	return buffer;
};
const reading = (file: string) => () => withSource(file, inspect);

describe("crafted and broken images", () => {
	const header = (data: Buffer) => data.indexOf("MSWIM\0\0\0");
	test.each([
		["another magic", (start: number) => [start, Buffer.from("WLPWM")] as const, /is no WIM file/],
		["a header of another size", (start: number) => [start + 8, number(4096, 4)] as const, /is no WIM file/],
		[
			"XML of an absurd size",
			(start: number) => [start + 72, number(2 ** 40, 8).subarray(0, 7)] as const,
			/cannot be read/,
		],
		["XML of no size", (start: number) => [start + 72, Buffer.alloc(7)] as const, /cannot be read/],
		["compressed XML", (start: number) => [start + 79, Buffer.from([6])] as const, /cannot be read/],
		[
			"XML beyond the end",
			(start: number) => [start + 80, number(2 ** 40, 8)] as const,
			/beyond its own end/,
		],
		[
			"XML where no number goes",
			(start: number) => [start + 80, Buffer.alloc(8, 0xff)] as const,
			/a size that cannot be/,
		],
		["XML that is none", (start: number) => [start + 80, number(0, 8)] as const, /damaged/],
	])("a WIM with %s", (_, change, words) => {
		const file = spoiled((patch, data) => patch(...change(header(data))));
		expect(reading(file)).toThrow(BadImage);
		expect(reading(file)).toThrow(words);
	});

	test("one that ends early, at any place, is refused, or was read as it is", () => {
		const { length } = readFileSync(at("server.iso"));
		const good = JSON.stringify(withSource(at("server.iso"), inspect));
		for (let cut = 0; cut < length; cut += 16_384) {
			copyFileSync(at("server.iso"), at("cut.iso"));
			truncateSync(at("cut.iso"), cut);
			try {
				expect(JSON.stringify(withSource(at("cut.iso"), inspect))).toBe(good);
			} catch (error) {
				expect(error).toBeInstanceOf(BadImage);
			}
		}
	});

	test("noise in any block ends in a refusal or an answer, at once", { timeout: 120_000 }, () => {
		const good = readFileSync(at("server.iso"));
		// By lot, but always the same: a failure has to come again.
		let seed = 7;
		const random = (below: number) => {
			seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
			return Math.floor((seed / 2 ** 32) * below);
		};
		// The places that the reader looks at: elsewhere nothing would be seen.
		const read: [number, number][] = [];
		inspect({
			size: good.length,
			read: (offset, length) => {
				read.push([offset, length]);
				return Buffer.from(good.subarray(offset, offset + length));
			},
		});
		expect(read.length).toBeGreaterThan(10);
		let [refused, taken] = [0, 0];
		const begin = performance.now();
		for (let turn = 0; turn < 3000; turn++) {
			const data = Buffer.from(good);
			const [offset, length] = read[random(read.length)] ?? [0, 0];
			const changes = 1 + random(8);
			for (let one = 0; one < changes; one++) data[offset + random(Math.min(length, 512))] = random(256);
			mend(data, Math.floor(offset / 2048));
			const source = sourceOf(data.length, (buffer, offset) => data.copy(buffer, 0, offset));
			try {
				inspect(source);
				taken++;
			} catch (error) {
				expect(error instanceof BadImage || error instanceof RangeError).toBe(true);
				refused++;
			}
		}
		expect(refused).toBeGreaterThan(100);
		expect(taken).toBeGreaterThan(100);
		// Not a measurement: an endless loop or a huge allocation would be seen here.
		expect(performance.now() - begin).toBeLessThan(100_000);
	});
});

/** Gives a UDF descriptor the right checksum again, so that what lies behind it is looked at. */
function mend(data: Buffer, block: number): void {
	const start = block * 2048;
	let sum = 0;
	for (let index = 0; index < 16; index++) sum += index === 4 ? 0 : (data[start + index] ?? 0);
	data[start + 4] = sum & 0xff;
}

describe("the list of editions", () => {
	test.each([
		["a document type", '<!DOCTYPE WIM [<!ENTITY x "y">]><WIM/>'],
		["an entity of its own", "<WIM><NAME>&x;</NAME></WIM>"],
		["a comment", "<WIM><!-- x --></WIM>"],
		["wrong nesting", "<WIM><A></WIM></A>"],
		["no end", "<WIM><A>"],
		["two roots", "<WIM/><WIM/>"],
		["a bare sign", "<WIM><</WIM>"],
		["depth", `${"<A>".repeat(100)}${"</A>".repeat(100)}`],
		["a character that is none", "<WIM>&#x110000;</WIM>"],
		["mass", `<WIM>${"<A/>".repeat(200_000)}</WIM>`],
		["nothing", ""],
	])("with %s is refused", (_, text) => {
		expect(() => parseXml(text)).toThrow(BadImage);
	});
	test("is read with its entities", () => {
		expect(
			parseXml('<?xml version="1.0"?><W a="1 &lt; 2">x &amp; &#252;&#xfc;<N b=\'"\'/></W>'),
		).toMatchObject({
			name: "W",
			attributes: { a: "1 < 2" },
			text: "x & üü",
			children: [{ name: "N", attributes: { b: '"' } }],
		});
	});
	const wimOf = (text: string) => {
		const xml = Buffer.from(`\ufeff${text}`, "utf16le");
		const data = Buffer.alloc(208 + xml.length);
		data.write("MSWIM\0\0\0", "latin1");
		data.writeUInt32LE(208, 8);
		data.writeUIntLE(xml.length, 72, 6);
		data.writeUInt32LE(208, 80);
		xml.copy(data, 208);
		return sourceOf(data.length, (buffer, offset) => data.copy(buffer, 0, offset));
	};
	test("without editions, or with one that has no number, is refused", () => {
		expect(() => readWim(wimOf("<WIM></WIM>"))).toThrow("it tells of 0 editions");
		expect(() => readWim(wimOf('<WIM><IMAGE INDEX="x"/></WIM>'))).toThrow(
			"one of its editions has no number",
		);
		expect(() => readWim(wimOf(`<WIM>${'<IMAGE INDEX="1"/>'.repeat(201)}</WIM>`))).toThrow("201 editions");
	});
	test("shows nothing that a terminal would take for a command", () => {
		const [image] = readWim(
			wimOf(`<WIM><IMAGE INDEX="1"><NAME>A&#27;[31m\u202eB${"x".repeat(500)}</NAME></IMAGE></WIM>`),
		);
		expect(image?.name).toMatch(/^A\[31mBx{249}$/);
		expect(image).toMatchObject({ architecture: null, build: 0, languages: [] });
	});
});
