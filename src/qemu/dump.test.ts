import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { dumpMemory } from "./dump.ts";
import { QmpConnection } from "./qmp/connection.ts";
import { QmpGone } from "./qmp/errors.ts";
import { ScriptedSocket } from "./testing/scripted.ts";

let folder = "";
beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "bulkhead-dump-"));
});
afterEach(async () => {
	await rm(folder, { recursive: true });
});

const file = () => join(folder, "memory.dump");
type Status = "none" | "active" | "completed" | "failed";

/**
 * A QEMU whose dumps end as told. While one is being made it takes no `stop`.
 * @param statuses what it answers to one `query-dump` after the other, as `active 30`; the last again and again
 * @param refuses formats that it refuses at once
 */
async function qemu(statuses: string[], refuses: string[] = []) {
	const asked: string[] = [];
	let [now = "none"] = statuses;
	const answer = (execute: string, { format = "" }: { format?: string } = {}): unknown => {
		if (execute !== "query-dump") asked.push([execute, format].filter(Boolean).join(" "));
		if (execute === "dump-guest-memory" && refuses.includes(format)) return undefined;
		if (execute === "stop" && now.startsWith("active")) return undefined;
		if (execute !== "query-dump") return {};
		now = (statuses.length > 1 ? statuses.shift() : statuses[0]) ?? "none";
		const [status = "none", completed = "0"] = now.split(" ");
		return { status: status as Status, completed: Number(completed), total: 100 };
	};
	const server = await ScriptedSocket.open((socket) => {
		socket.write('{"QMP": {"version": {}, "capabilities": []}}\n');
		let partial = "";
		socket.on("data", (chunk) => {
			const lines = (partial + chunk.toString()).split("\n");
			partial = lines.pop() ?? "";
			for (const line of lines) {
				const { execute, arguments: args, id } = JSON.parse(line);
				const value = answer(execute, args);
				const error = { class: "GenericError", desc: "not with this guest" };
				socket.write(`${JSON.stringify(value === undefined ? { error, id } : { return: value, id })}\n`);
			}
		});
	});
	const monitor = await QmpConnection.open(server.path, { onEvent: () => {}, onDisconnect: () => {} });
	return { server, monitor, asked };
}

const begins = ["qmp_capabilities", "stop"];
const windows = "dump-guest-memory win-dmp";
const any = "dump-guest-memory kdump-zlib";

test("a Windows' dump is tried first, and told as it goes on", async () => {
	const { server, monitor, asked } = await qemu(["none", "active 10", "active 60", "completed 100"]);
	await using _ = server;
	const told: number[] = [];
	expect(await dumpMemory(monitor, folder, 10_000, (percent) => told.push(percent))).toBe(file());
	expect(asked).toEqual([...begins, windows]);
	expect(told).toEqual([10, 60]);
});

test.each<[string, string[], string[]]>([
	["that QEMU refuses", ["none", "completed"], ["win-dmp"]],
	["that fails on its way", ["none", "active", "failed", "completed"], []],
])(
	"what is left of a Windows' dump %s is taken away before another is made",
	async (_, statuses, refuses) => {
		await writeFile(file(), "half of it", { mode: 0o400 });
		const { server, monitor, asked } = await qemu(statuses, refuses);
		await using _server = server;
		await dumpMemory(monitor, folder, 10_000);
		expect(asked).toEqual([...begins, windows, any]);
		expect(existsSync(file())).toBe(false);
	},
);

test("one that an earlier daemon began is waited for", async () => {
	await writeFile(file(), "half of it");
	const { server, monitor, asked } = await qemu(["active 40", "active 80", "completed"]);
	await using _ = server;
	expect(await dumpMemory(monitor, folder, 10_000)).toBe(file());
	expect(asked).toEqual(["qmp_capabilities"]);
	expect(existsSync(file())).toBe(true);
});

test("one that an earlier daemon began and that fails is made anew, of a guest that is paused", async () => {
	const { server, monitor, asked } = await qemu(["active 40", "failed", "active 10", "completed"]);
	await using _ = server;
	expect(await dumpMemory(monitor, folder, 10_000)).toBe(file());
	expect(asked).toEqual([...begins, windows]);
});

test("one that was done while no daemon was there is taken; one that has gone is made anew", async () => {
	await writeFile(file(), "all of it");
	const done = await qemu(["completed"]);
	await using _done = done.server;
	await dumpMemory(done.monitor, folder, 10_000);
	expect(done.asked).toEqual(begins);
	await rm(file());
	const gone = await qemu(["completed", "active", "completed"]);
	await using _gone = gone.server;
	await dumpMemory(gone.monitor, folder, 10_000);
	expect(gone.asked).toEqual([...begins, windows]);
});

test("what takes too long is given up, and nothing is left of it", async () => {
	await writeFile(file(), "half of it");
	const { server, monitor } = await qemu(["active"]);
	await using _ = server;
	await expect(dumpMemory(monitor, folder, 100)).rejects.toThrow("did not finish within 100 ms");
	expect(existsSync(file())).toBe(false);
});

test("a guest of which no dump can be made is told in QEMU's words", async () => {
	const { server, monitor } = await qemu(["none"], ["win-dmp", "kdump-zlib"]);
	await using _ = server;
	await expect(dumpMemory(monitor, folder, 1000)).rejects.toThrow(
		"QEMU refused dump-guest-memory: not with this guest",
	);
});

test("when the connection ends, QEMU goes on writing: what there is stays for the next daemon", async () => {
	await writeFile(file(), "half of it");
	const { server, monitor } = await qemu(["active"]);
	await using _ = server;
	const dumped = dumpMemory(monitor, folder, 10_000, () => server.hangUp());
	await expect(dumped).rejects.toBeInstanceOf(QmpGone);
	expect(existsSync(file())).toBe(true);
});
