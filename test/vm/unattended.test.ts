import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ServerDefinition } from "../../src/api/site.ts";
import { run } from "../../src/host/command.ts";
import { instanceForTests } from "./harness.ts";

/**
 * An unattended installation up to where Windows would begin: its machine has the discs, its answers are the server's alone,
 * and no password is anywhere else. The disc in the place of Windows' boots nothing.
 */

const instance = instanceForTests();
const password = "Secret-4711-of-the-test";
let folder = "";

function definition(changes: Partial<ServerDefinition> = {}): ServerDefinition {
	return {
		guest: "windows-server-2022",
		install: {
			iso: join(folder, "windows.iso"),
			drivers: join(folder, "virtio-win.iso"),
			answers: {
				computerName: "FILES1",
				edition: 1,
				language: "en-US",
				timeZone: "Europe/Berlin",
				administrator: { passwordFile: join(folder, "password") },
			},
		},
		system: { size: "1GiB" },
		memory: "256MiB",
		cpus: 1,
		...changes,
	};
}

beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), "bh-unattended-"));
	for (const disc of ["windows", "virtio-win"]) {
		const file = join(folder, `${disc}.iso`);
		await run("xorriso", ["-as", "mkisofs", "-quiet", "-o", file, import.meta.dirname], {
			deadlineMs: 30_000,
		});
	}
	await writeFile(join(folder, "password"), `${password}\n`, { mode: 0o600 });
});

afterAll(async () => {
	await rm(folder, { recursive: true, force: true });
});

test("a password file that others may read is told before anything is made", async () => {
	await writeFile(join(folder, "open"), `${password}\n`, { mode: 0o644 });
	const { install, ...rest } = definition();
	const answers = install?.answers && {
		...install.answers,
		administrator: { passwordFile: join(folder, "open") },
	};
	const site = { name: "win", servers: { w: { ...rest, install: { iso: install?.iso ?? "", answers } } } };
	const refused = instance.client.call("plan", {}, { text: JSON.stringify(site) });
	await expect(refused).rejects.toMatchObject({
		problems: [
			{
				field: "servers.w.install.answers.administrator.passwordFile",
				message: expect.stringContaining("others may read it"),
			},
		],
	});
});

test("the machine has Windows' disc, the drivers and its answers, UEFI with Secure Boot and a TPM", async () => {
	await instance.apply({
		name: "win",
		servers: { w: definition(), old: definition({ guest: "windows-server-2003" }) },
	});
	const view = await instance.until("w", "running");
	expect(view).toMatchObject({ firmware: "uefi-secure", tpm: true, guest: "windows-server-2022" });
	const answers = join(instance.paths.server("w").answers, "answers.iso");
	expect(view.discs).toEqual([join(folder, "windows.iso"), join(folder, "virtio-win.iso"), answers]);
	const { mode, uid } = await stat(answers);
	expect(mode & 0o777).toBe(0o600);
	expect(uid).toBeGreaterThan(1_000_000);
	expect((await stat(instance.paths.server("w").answers)).mode & 0o777).toBe(0o700);
	const { stdout } = await run("xorriso", ["-indev", answers, "-find", "/", "-type", "f"], {
		deadlineMs: 30_000,
	});
	expect(stdout).toContain("'/autounattend.xml'");
	const environment = await readFile(`/proc/${view.session?.pid}/environ`, "utf8");
	expect(environment.split("\0")).toContain("TZ=:Europe/Berlin");
});

test("Windows of before 2008 gets them on a floppy disk", async () => {
	const view = await instance.until("old", "running");
	expect(view.discs.at(-1)).toMatch(/answers\/answers\.img$/);
	const argv = await readFile(instance.paths.server("old").session(1).argv, "utf8");
	expect(argv).toContain("floppy,id=drive.answers");
});

/** Of everything that runs, whoever's it is. */
async function commandLines(): Promise<string[]> {
	const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
	return await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")));
}

test("the password stands in nothing that is kept or told", async () => {
	const found: string[] = [];
	// Hidden as Windows wants it, another word follows in each place: what comes before is the same everywhere.
	const bytes = Buffer.from(password, "utf16le");
	const hidden = bytes.subarray(0, bytes.length - (bytes.length % 3)).toString("base64");
	const forms = [password, hidden];
	const medium = await readFile(join(instance.paths.server("w").answers, "answers.iso"), "latin1");
	expect(medium.split(hidden).length - 1).toBe(2);
	const holds = (text: string) => forms.some((form) => text.includes(form));
	for (const name of await readdir(instance.state, { recursive: true, withFileTypes: true })) {
		const file = join(name.parentPath, name.name);
		if (!name.isFile() || /answers\.(iso|img)$|\.qcow2$|\.fd$/.test(file)) continue;
		const text = await readFile(file, "latin1");
		if (holds(text)) found.push(file);
	}
	expect(found).toEqual([]);
	expect(holds(await readFile(instance.log, "utf8"))).toBe(false);
	expect(holds(JSON.stringify(await instance.events()))).toBe(false);
	const shown = await Promise.all(["w", "old"].map((name) => instance.show(name)));
	expect(shown.map(({ name }) => name)).toEqual(["w", "old"]);
	expect(holds(JSON.stringify(shown))).toBe(false);
	const commands = await commandLines();
	expect(commands.some((command) => command.includes("guest=w#1,"))).toBe(true);
	expect(commands.filter(holds)).toEqual([]);
});

test("once ejected, the answers are gone, and the next session has empty drives", async () => {
	const { discs } = await instance.client.call("eject", { server: "w" }, null);
	expect(discs).toHaveLength(3);
	expect(await readdir(instance.paths.server("w").answers)).toEqual([]);
	await instance.client.call("drill", { server: "w" }, { fault: "kill" });
	const { number } = await instance.untilNext("w", 1);
	const argv = await readFile(instance.paths.server("w").session(number).argv, "utf8");
	expect(argv).toContain("ide-cd,id=drive.installer");
	expect(argv).not.toContain("/discs/");
	expect((await instance.show("w")).discs).toEqual([]);
});

test("its TPM's process ends with its session", async () => {
	const of = async () => {
		const pids = await instance.processes();
		const commands = await Promise.all(
			pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")),
		);
		return commands.filter((command) => command.startsWith("swtpm\0") && command.includes("/tpm/w#")).length;
	};
	expect(await of()).toBe(1);
	await instance.client.call("stop", { server: "w" }, { deadlineMs: 0 });
	await instance.until("w", "stopped");
	expect(await of()).toBe(0);
	expect(await readdir(instance.paths.server("w").tpm)).toContain("tpm2-00.permall");
});
