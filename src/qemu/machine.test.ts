import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { identify } from "../host/process.ts";
import { QemuMachine } from "./machine.ts";
import { ScriptedSocket } from "./testing/scripted.ts";

let folder = "";
beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "bulkhead-machine-"));
	await mkdir(join(folder, "sockets"));
});
afterEach(async () => {
	await rm(folder, { recursive: true });
});

/** The monitor of a QEMU whose guest has panicked, and the commands that it was given. */
async function panicked() {
	const asked: string[] = [];
	const monitor = await ScriptedSocket.open((socket) => {
		socket.write('{"QMP": {"version": {}, "capabilities": []}}\n');
		socket.on("data", (chunk) => {
			for (const line of chunk.toString().split("\n").filter(Boolean)) {
				const { execute, id } = JSON.parse(line);
				asked.push(execute);
				const status = execute === "query-dump" ? "completed" : "guest-panicked";
				socket.write(`${JSON.stringify({ return: { status, completed: 1, total: 1 }, id })}\n`);
			}
		});
	});
	await symlink(monitor.path, join(folder, "sockets/qmp.sock"));
	// Any process that lives will do.
	const identity = identify(process.pid);
	if (!identity) throw new Error("this process has no identity");
	const folders = { session: folder, sockets: join(folder, "sockets") };
	const machine = await QemuMachine.connect(identity, folders, () => {});
	return { monitor, machine, asked };
}

test("a panic is let be printed before its screen is taken", async () => {
	const { monitor, machine, asked } = await panicked();
	await using _ = monitor;
	await machine.evidence(false);
	machine.leave();
	expect(asked).toContain("cont");
});

test("but not by a guest whose memory was dumped: it stays stopped", async () => {
	const { monitor, machine, asked } = await panicked();
	await using _ = monitor;
	await machine.dumpMemory(10_000);
	await machine.evidence(false);
	machine.leave();
	expect(asked).toContain("dump-guest-memory");
	expect(asked).not.toContain("cont");
});
