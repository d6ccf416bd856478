import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { serverSchema } from "../api/site.ts";
import { type Paths, paths as pathsOf } from "../store/paths.ts";
import { ServerStore } from "../store/servers.ts";
import type { Context } from "./context.ts";
import { hardwareOnHost } from "./hardware-checks.ts";
import { HostJournal } from "./parts/journal.ts";
import { createServer } from "./provision.ts";

let paths: Paths;
let context: Context;
beforeEach(async () => {
	paths = pathsOf(await mkdtemp(join(tmpdir(), "bulkhead-provision-")), "/nowhere");
	context = { paths, servers: new ServerStore(paths) } as Partial<Context> as Context;
});
afterEach(async () => await rm(paths.state, { recursive: true }));

const wanted = {
	name: "dc1",
	site: "office",
	subnet: null,
	subnet6: null,
	lan: null,
	definition: { image: "/nowhere.qcow2" },
	index: 1,
	uid: process.getuid?.() ?? 0,
	uuid: "00000000-0000-4000-8000-000000000001",
};

test("files of a server that are there already are not touched, also when its definition is gone", async () => {
	const disk = paths.server("dc1").disk("system");
	await mkdir(paths.server("dc1").disks, { recursive: true });
	await writeFile(disk, "THE ONLY COPY");
	await expect(createServer(wanted, context, () => {})).rejects.toMatchObject({
		code: "bad-input",
		message: expect.stringMatching(/^there are already files of a server dc1 in \S+; move them away/),
	});
	expect(await readFile(disk, "utf8")).toBe("THE ONLY COPY");
});

test("nothing is left of a server that could not be made", async () => {
	await expect(createServer(wanted, context, () => {})).rejects.toThrow();
	expect(await context.servers.names()).toEqual([]);
});

describe("a Windows that is installed unattended", () => {
	const secret = () => join(paths.state, "secret");
	const windows = (administrator = secret()) => ({
		...wanted,
		definition: serverSchema.parse({
			guest: "windows-server-2022",
			install: {
				iso: "/srv/win.iso",
				answers: {
					...{ computerName: "DC1", edition: 1, language: "en-US", timeZone: "UTC" },
					administrator: { passwordFile: administrator },
				},
			},
			system: { size: "1GiB" },
		}),
	});
	beforeEach(async () => await writeFile(secret(), "Sommer-2024\n", { mode: 0o600 }));

	test("is not made without its password, and nothing is left of it", async () => {
		await expect(createServer(windows("/nowhere/secret"), context, () => {})).rejects.toMatchObject({
			code: "bad-input",
			problems: [{ field: "answers.administrator.passwordFile" }],
		});
		expect(await context.servers.names()).toEqual([]);
	});

	test("is looked at before anything is made, and each problem is told by its field", async () => {
		const { definition } = windows();
		const found = async (changes: object) =>
			(await hardwareOnHost("dc1", { ...definition, firmware: "bios", tpm: false, ...changes }, undefined))
				.filter(({ path }) => path.includes("answers"))
				.map(({ path, message }) => `${path.join(".")}: ${message}`);
		expect(await found({})).toEqual([]);
		expect(await found({ guest: "windows-11" })).toEqual([
			"servers.dc1.install.answers: windows-11 can be installed with uefi firmware only, not with bios",
		]);
		await chmod(secret(), 0o644);
		expect(await found({})).toEqual([
			`servers.dc1.install.answers.administrator.passwordFile: ${secret()}: others may read it: chown root, chmod 600`,
		]);
	});
});

test("a lost record gives no session's number a second time, and the last session is ended first", async () => {
	const journal = new HostJournal("dc1", context);
	expect(await journal.loadRecord()).toMatchObject({ nextSession: 1, planned: null });
	for (const number of [2, 10]) await mkdir(paths.server("dc1").session(number).folder, { recursive: true });
	expect(await journal.loadRecord()).toMatchObject({ nextSession: 11, planned: 10, state: "stopped" });
});

test.each(["{", "null", "[]", '{"state":"asleep"}', '{"nextSession":"7"}'])(
	"a damaged record is an error with what to do: %s",
	async (text) => {
		const { folder, record } = paths.server("dc1");
		await mkdir(folder, { recursive: true });
		await writeFile(record, text);
		await expect(new HostJournal("dc1", context).loadRecord()).rejects.toMatchObject({ code: "bad-input" });
	},
);
