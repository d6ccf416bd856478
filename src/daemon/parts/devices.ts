import { chown, rm, stat } from "node:fs/promises";
import { run } from "../../host/command.ts";
import type { Hardware } from "../../qemu/hardware.ts";
import type { ServerPaths } from "../../store/paths.ts";

/**
 * The device nodes that a session needs. /dev/net/tun is open to everybody on most systems and to root alone on some:
 * a session gets nodes of its own; its tun node opens nothing but taps that belong to its user.
 * @returns pairs of host path and path inside
 */
export async function makeDevices(
	paths: ServerPaths,
	uid: number,
	hardware: Hardware,
): Promise<(readonly [string, string])[]> {
	const needed = [
		...(hardware.nic ? ["/dev/net/tun"] : []),
		...(hardware.accelerator === "kvm" ? ["/dev/kvm"] : []),
	];
	const made = needed.map(async (device) => [await makeNode(device, paths, uid), device] as const);
	return await Promise.all(made);
}

async function makeNode(device: string, paths: ServerPaths, uid: number): Promise<string> {
	const { rdev } = await stat(device);
	const node = paths.device(device.split("/").at(-1) ?? "");
	// Device numbers as makedev(3) packs them.
	const [major, minor] = [(rdev >> 8) & 0xfff, (rdev & 0xff) | ((rdev >> 12) & 0xfff00)];
	await rm(node, { force: true });
	await run("mknod", ["-m", "0600", node, "c", `${major}`, `${minor}`], { deadlineMs: 5000 });
	await chown(node, uid, uid);
	return node;
}
