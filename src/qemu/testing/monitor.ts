import { mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { identify } from "../../host/process.ts";
import { QemuMachine } from "../machine.ts";
import { ScriptedSocket } from "./scripted.ts";

/**
 * A machine whose monitor answers as a test tells it to; its process is the test's own.
 * @param folder an empty one, for its session's files and sockets
 * @param answer what a command returns
 */
export async function scriptedMachine(folder: string, answer: (execute: string) => object) {
	const asked: string[] = [];
	const monitor = await ScriptedSocket.open((socket) => {
		socket.write('{"QMP": {"version": {}, "capabilities": []}}\n');
		socket.on("data", (chunk) => {
			for (const line of chunk.toString().split("\n").filter(Boolean)) {
				const { execute, id } = JSON.parse(line);
				asked.push(execute);
				const value = answer(execute);
				if (!socket.destroyed) socket.write(`${JSON.stringify({ return: value, id })}\n`);
			}
		});
	});
	const folders = { session: folder, sockets: join(folder, "sockets") };
	await mkdir(folders.sockets);
	await symlink(monitor.path, join(folders.sockets, "qmp.sock"));
	const identity = identify(process.pid);
	if (!identity) throw new Error("this process has no identity");
	const machine = await QemuMachine.connect(identity, folders, () => {});
	return { monitor, machine, asked };
}
