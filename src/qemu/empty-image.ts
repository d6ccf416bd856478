import { run } from "../host/command.ts";

/** Makes an empty disk: nothing is on it, not even a partition. @throws CommandError */
export async function createEmptyImage(path: string, bytes: number): Promise<void> {
	await run("qemu-img", ["create", "-q", "-f", "qcow2", path, String(bytes)], { deadlineMs: 30_000 });
}
