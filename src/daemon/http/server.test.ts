import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { type ClientRequest, request } from "node:http";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FastifyInstance } from "fastify";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import type { ExamineBody } from "../../api/import.ts";
import { routes } from "../../api/routes.ts";
import { paths } from "../../store/paths.ts";
import type { Bulkhead } from "../bulkhead.ts";
import type { Context } from "../context.ts";
import { examineImport } from "../imports/examine.ts";
import { openApi } from "./server.ts";

const ovf =
	'<Envelope><References><File id="f" href="erp.img"/></References><DiskSection><Disk diskId="d" fileRef="f"/></DiskSection><VirtualSystem id="erp"><VirtualHardwareSection><Item><ElementName>Hard Disk 1</ElementName><HostResource>ovf:/disk/d</HostResource><ResourceType>17</ResourceType></Item></VirtualHardwareSection></VirtualSystem></Envelope>';

/** Whether a process is at work on a file. */
async function isReckoned(file: string): Promise<boolean> {
	const processes = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
	const commands = processes.map(async (id) => await readFile(`/proc/${id}/cmdline`, "utf8").catch(() => ""));
	return (await Promise.all(commands)).some((command) => command.includes(`\0${file}\0`));
}

describe.runIf(process.getuid?.() === 0)("the API, when the daemon ends", () => {
	test.each(["console", "screen"])(
		"ends with an open %s, and whoever looks at it is let go",
		async (what) => {
			const folder = await mkdtemp(join(tmpdir(), "bulkhead-"));
			onTestFinished(async () => await rm(folder, { recursive: true, force: true }));
			const guest = createServer((socket) => socket.on("error", () => {}).write("login: "));
			const path = join(folder, "guest");
			guest.listen(path);
			await once(guest, "listening");
			onTestFinished(() => void guest.close());
			const context = { paths: paths(folder, folder), log: { error() {} } } as unknown as Context;
			const bulkhead = {
				membership: { socket: { serve: async () => {} } },
				server: () => ({ consoleSocket: () => path, screenSocket: () => path }),
			} as unknown as Bulkhead;
			const api = await openApi(bulkhead, context, { version: "1", startedAt: 0 });
			const headers = { connection: "upgrade", upgrade: `bulkhead-${what}` };
			const url = `/v1/servers/web/${what}`;
			const asked = request({ socketPath: context.paths.apiSocket, path: url, headers });
			asked.end();
			const [, looking] = (await once(asked, "upgrade")) as [unknown, Socket];
			looking.on("error", () => {}).resume();
			onTestFinished(() => void looking.destroy());
			const left = once(looking, "close");
			await api.close();
			await left;
		},
	);
});

describe.runIf(process.getuid?.() === 0)("the API, when a client goes away", () => {
	let folder: string;
	let api: FastifyInstance;
	let logged: unknown[];
	let ended: PromiseWithResolvers<unknown>;
	let waits: PromiseWithResolvers<void>;
	const stop = new AbortController();

	beforeEach(async () => {
		folder = await mkdtemp(join(tmpdir(), "bulkhead-"));
		logged = [];
		ended = Promise.withResolvers();
		waits = Promise.withResolvers();
		const log = { error: (...said: unknown[]) => void logged.push(said) };
		const context = { paths: paths(folder, folder), log } as unknown as Context;
		const bulkhead = {
			server: () => ({ record: { state: "stopped" } }),
			delete: async (_: string, gone: AbortSignal) => {
				gone.addEventListener("abort", () => ended.resolve(gone.reason));
				waits.resolve();
				await ended.promise;
				gone.throwIfAborted();
			},
			membership: { socket: { serve: async () => {} } },
			examineImport: async (wanted: ExamineBody, gone: AbortSignal) => {
				const work = examineImport(wanted, [], context, AbortSignal.any([gone, stop.signal]));
				work.then(() => ended.resolve("examined"), ended.resolve);
				return await work;
			},
		} as unknown as Bulkhead;
		api = await openApi(bulkhead, context, { version: "1", startedAt: 0 });
	});
	afterEach(async () => {
		stop.abort();
		await api.close();
		await rm(folder, { recursive: true, force: true });
	});

	const ask = (method: string, path: string, body: unknown): ClientRequest => {
		const text = JSON.stringify(body);
		const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(text) };
		const asked = request({ socketPath: paths(folder, folder).apiSocket, method, path, headers });
		asked.on("error", () => {});
		asked.end(text);
		return asked;
	};
	const examine = (source: string): ClientRequest => {
		const { method, path } = routes.examineImport;
		return ask(method, path, { source, disks: {} });
	};

	test("an examination ends with it, and so does the checksum that was being reckoned", async () => {
		const disk = join(folder, "erp.img");
		await writeFile(disk, "");
		// All holes, and minutes to go through.
		await truncate(disk, 64 * 2 ** 30);
		await writeFile(join(folder, "erp.ovf"), ovf);
		await writeFile(join(folder, "erp.mf"), `SHA256(erp.img)= ${createHash("sha256").digest("hex")}\n`);
		const asked = examine(join(folder, "erp.ovf"));
		await expect.poll(() => isReckoned(disk), { timeout: 10_000 }).toBe(true);
		asked.destroy();
		expect(await ended.promise).toMatchObject({ message: "the client went away" });
		expect(await isReckoned(disk)).toBe(false);
		expect(logged).toEqual([]);
	});

	test("a deletion that waits for its turn hears of it", async () => {
		const { method, path } = routes.delete;
		const asked = ask(method, path.replace(":server", "web"), { destroyDisks: true });
		await waits.promise;
		asked.destroy();
		expect(await ended.promise).toMatchObject({ message: "the client went away" });
		await api.close();
		expect(logged).toEqual([]);
	});
});
