import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
	chmodSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { type Answers, answersProblems, type WindowsVersion } from "../../api/windows.ts";
import { buildAnswersMedia, removeAnswersMedia } from "./media.ts";
import {
	answers,
	answersFor,
	dataDisks,
	newVersions,
	oldPasswords,
	oldVersions,
	passwords,
} from "./testing/samples.ts";
import { windowsFacts } from "./versions.ts";

const top = mkdtempSync(join(tmpdir(), "bulkhead-media-"));
afterAll(() => rmSync(top, { recursive: true, force: true }));
let folder = "";
beforeEach(() => {
	folder = mkdtempSync(join(top, "server-"));
});

const secrets = (old: boolean) => (old ? oldPasswords : passwords);
const secretFile = (name: string) => join(folder, `secret-${name}`);

/** The answers of a sample, with the passwords in files below `folder`. */
function withFiles(scenario: string, old: boolean): Answers {
	for (const [name, password] of Object.entries(secrets(old)))
		writeFileSync(secretFile(name), `${password}\nsecond line\n`, { mode: 0o600 });
	const text = JSON.stringify(answersFor(scenario)).replaceAll("/root/secrets/", join(folder, "secret-"));
	return JSON.parse(text) as Answers;
}

async function build(version: WindowsVersion, scenario: string) {
	const facts = windowsFacts[version];
	const dcpromo = version === "windows-server-2008-r2" && scenario.endsWith("controller");
	const given = withFiles(scenario, dcpromo || facts.answerFile === "winnt.sif");
	const firmware = facts.firmware[0] ?? "bios";
	return await buildAnswersMedia({
		version,
		firmware,
		answers: given,
		drivers: true,
		data: dataDisks,
		folder,
	});
}

/** All files of a medium, taken out of it by xorriso or mtools. */
function unpacked(file: string): Record<string, string> {
	const tree = mkdtempSync(join(top, "tree-"));
	const iso = file.endsWith(".iso");
	const [program, ...words] = iso
		? ["xorriso", "-no_rc", "-osirrox", "on", "-indev", file, "-extract", "/", tree]
		: ["mcopy", "-s", "-i", file, "::", tree];
	expect(spawnSync(program ?? "", words).status).toBe(0);
	spawnSync("chmod", ["-R", "u+rwX", tree]);
	const entries = readdirSync(tree, { recursive: true, withFileTypes: true }).filter((entry) =>
		entry.isFile(),
	);
	return Object.fromEntries(
		entries.map((entry) => {
			const path = join(entry.parentPath, entry.name);
			return [path.slice(tree.length + 1), readFileSync(path, "utf8")];
		}),
	);
}

const hash = (file: string) => createHash("sha256").update(readFileSync(file)).digest("hex");

/** A password in all the shapes that something could be shown in, in lower case. */
function shapes(password: string): string[] {
	const utf16 = Buffer.from(password, "utf16le");
	return [
		password,
		Buffer.from(password).toString("base64").replace(/=+$/, ""),
		// Its first characters, whatever follows.
		utf16.toString("base64").slice(0, 30),
		Buffer.from(password).toString("hex"),
		utf16.toString("hex"),
		utf16.toString("latin1"),
		encodeURIComponent(password),
	].map((shape) => shape.toLowerCase());
}

describe.each(newVersions)("%s", (version) => {
	test.each(
		Object.keys(answers).filter((scenario) => answersProblems(version, answersFor(scenario)).length === 0),
	)("%s: the medium has what Setup and the scripts look for", async (scenario) => {
		const { file, kind } = await build(version, scenario);
		expect(kind).toBe("cdrom");
		expect(statSync(file).mode & 0o777).toBe(0o600);
		const files = unpacked(file);
		const wantsSecrets = /controller|member/.test(scenario);
		expect(Object.keys(files).sort()).toEqual(
			[
				"autounattend.xml",
				...["common", "disks", "domain", "drivers", "files", "finish", "first-boot", "machine"].map(
					(name) => `bulkhead/${name}.ps1`,
				),
				...(wantsSecrets ? ["bulkhead/secrets.xml"] : []),
				"bulkhead/settings.xml",
				"bulkhead/start.cmd",
			].sort(),
		);
		for (const text of Object.values(files)) expect(text.replaceAll("\r\n", "")).not.toMatch(/[\r\n]/);
		expect(readdirSync(folder).filter((name) => !name.startsWith("secret-"))).toEqual(["answers.iso"]);
	});
});

describe.each(oldVersions)("%s", (version) => {
	test.each(
		Object.keys(answers).filter((scenario) => answersProblems(version, answersFor(scenario)).length === 0),
	)("%s: the floppy disk has what Setup looks for", async (scenario) => {
		const { file, kind } = await build(version, scenario);
		expect(kind).toBe("floppy");
		expect(statSync(file)).toMatchObject({ size: 1440 * 1024 });
		expect(statSync(file).mode & 0o777).toBe(0o600);
		const files = unpacked(file);
		expect(files["WINNT.SIF"]).toContain(`AdminPassword="${oldPasswords.administrator}"`);
		expect(Object.keys(files)).toEqual(
			expect.arrayContaining(["BULKHEAD/START.CMD", "BULKHEAD/FIRST.CMD", "BULKHEAD/SETTINGS.REG"]),
		);
	});
});

test.each(["windows-server-2022", "windows-server-2003"] as const)(
	"%s: the same answers make the same bytes, at another time and in another place",
	async (version) => {
		const first = hash((await build(version, "member")).file);
		// FAT counts in steps of two seconds, ISO 9660 in seconds.
		await new Promise((resolve) => setTimeout(resolve, 2_100));
		folder = mkdtempSync(join(top, "elsewhere-"));
		expect(hash((await build(version, "member")).file)).toBe(first);
	},
);

test("no password is in the medium's index, its names, or an error of the program that makes it", async () => {
	const { file } = await build("windows-server-2022", "further-domain-controller");
	const listing = spawnSync("xorriso", [
		"-no_rc",
		"-indev",
		file,
		"-lsdl",
		"/",
		"/bulkhead",
		"-pvd_info",
		"-toc",
	]);
	const raw = readFileSync(file);
	const found = unpacked(file);
	// The index is what is left of the image when the files are taken out.
	let index = raw.toString("latin1");
	for (const text of Object.values(found)) index = index.replace(Buffer.from(text).toString("latin1"), "");
	expect(index.length).toBeLessThan(raw.length);
	const seen = `${listing.stdout}${listing.stderr}${index}${Object.keys(found).join()}`.toLowerCase();
	for (const password of Object.values(passwords))
		for (const shape of shapes(password)) expect(seen.includes(shape)).toBe(false);
	// And that this would find one.
	const all = raw.toString("latin1").toLowerCase();
	expect(shapes(passwords.recovery).some((shape) => all.includes(shape))).toBe(true);
});

test("passwords stand as they are in no file but where Windows takes them in no other way", async () => {
	const found = unpacked((await build("windows-server-2022", "member")).file);
	const places = Object.entries(found).filter(([, text]) => /Adm1n|[Rr]ec0very|J0in/.test(text));
	expect(places.map(([name]) => name)).toEqual(["autounattend.xml"]);
	expect(found["autounattend.xml"]?.match(/Adm1n|[Rr]ec0very|J0in/g)).toEqual(["J0in"]);
});

test("an answers' medium is replaced whole, and an error leaves the old one", async () => {
	const { file } = await build("windows-server-2022", "plain");
	const before = hash(file);
	const given = withFiles("domain-controller", false);
	rmSync(secretFile("recovery"));
	const options = {
		version: "windows-server-2022",
		firmware: "uefi",
		answers: given,
		drivers: true,
		data: dataDisks,
		folder,
	} as const;
	await expect(buildAnswersMedia(options)).rejects.toMatchObject({
		code: "bad-input",
		problems: [{ field: "answers.roles.0.recoveryPasswordFile" }],
	});
	expect(hash(file)).toBe(before);
	await build("windows-server-2022", "domain-controller");
	expect(hash(file)).not.toBe(before);
});

test("a medium that is not wanted any more goes, with what is left of a broken attempt, and nothing else", async () => {
	await build("windows-server-2022", "plain");
	mkdirSync(join(folder, ".answers-Ab12Cd"));
	writeFileSync(join(folder, ".answers-Ab12Cd/image"), "x");
	writeFileSync(join(folder, "answers.txt"), "x");
	await removeAnswersMedia(folder);
	expect(readdirSync(folder).sort()).toEqual([
		"answers.txt",
		"secret-administrator",
		"secret-join",
		"secret-recovery",
	]);
});

test("being cancelled leaves nothing", async () => {
	const given = withFiles("plain", false);
	const signal = AbortSignal.abort(new Error("enough"));
	await expect(
		buildAnswersMedia({
			version: "windows-server-2022",
			firmware: "uefi",
			answers: given,
			drivers: true,
			data: dataDisks,
			folder,
			signal,
		}),
	).rejects.toThrow("enough");
	expect(readdirSync(folder).filter((name) => !name.startsWith("secret-"))).toEqual([]);
});

test("answers that do not fit the version are refused, with their field", async () => {
	const given = withFiles("domain-controller", false);
	await expect(
		buildAnswersMedia({
			version: "windows-10",
			firmware: "uefi",
			answers: given,
			drivers: true,
			data: dataDisks,
			folder,
		}),
	).rejects.toMatchObject({ code: "bad-input", problems: [{ field: "answers.roles.0.role" }] });
});

test("a data disk that a role would format, and that something is on, is refused with its field", async () => {
	const given = withFiles("second-disk", false);
	const data = dataDisks.map((disk) => ({ ...disk, filled: disk.name === "sql" }));
	const options = {
		version: "windows-server-2022",
		firmware: "uefi",
		answers: given,
		drivers: true,
	} as const;
	await expect(buildAnswersMedia({ ...options, data, folder })).rejects.toMatchObject({
		code: "bad-input",
		problems: [{ field: "answers.roles.0.disk", message: expect.stringMatching(/^sql comes from an image/) }],
	});
	expect(readdirSync(folder).filter((name) => !name.startsWith("secret-"))).toEqual([]);
});

describe("a file with a password", () => {
	const use = async (prepare: (file: string) => void, version: WindowsVersion = "windows-server-2022") => {
		const given = withFiles("domain-controller", false);
		const file = secretFile("administrator");
		rmSync(file);
		prepare(file);
		return await buildAnswersMedia({
			version,
			firmware: "bios",
			answers: given,
			drivers: true,
			data: dataDisks,
			folder,
		}).catch((error: unknown) => String(error));
	};
	test.each([
		["that is not there", () => {}, /there is no such file/],
		[
			"that others may read",
			(file: string) => {
				writeFileSync(file, "Sommer2024!");
				chmodSync(file, 0o644);
			},
			/others may read it: chown root, chmod 600/,
		],
		["that is a link", (file: string) => symlinkSync("/etc/hostname", file), /it is a link/],
		["that is a folder", (file: string) => mkdirSync(file, { mode: 0o700 }), /it is no plain file/],
		[
			"that is empty",
			(file: string) => writeFileSync(file, "\n", { mode: 0o600 }),
			/its first line is empty/,
		],
		[
			"in another encoding",
			(file: string) => writeFileSync(file, Buffer.from("K\xe4se-2024", "latin1"), { mode: 0o600 }),
			/it is not UTF-8/,
		],
		[
			"that is too weak",
			(file: string) => writeFileSync(file, "weakling", { mode: 0o600 }),
			/Windows wants three of these/,
		],
		[
			"with the password of another use",
			(file: string) => writeFileSync(file, passwords.recovery, { mode: 0o600 }),
			/it is the Administrator's password; Microsoft wants another one/,
		],
	])("%s is refused, without showing it", async (_, prepare, words) => {
		const error = await use(prepare);
		expect(error).toMatch(words);
		expect(error).not.toMatch(/Sommer2024|weakling|Rec0very/);
	});
	test("with characters that Windows Server 2008 R2's dcpromo cannot be told is refused", async () => {
		const given = withFiles("domain-controller", false);
		await expect(
			buildAnswersMedia({
				version: "windows-server-2008-r2",
				firmware: "bios",
				answers: given,
				drivers: true,
				data: dataDisks,
				folder,
			}),
		).rejects.toThrow(/ASCII signs without/);
	});
});
