import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { afterEach, expect, test } from "vitest";
import {
	endProcess,
	identify,
	isAlive,
	type ProcessIdentity,
	sendSignal,
	stateOf,
	waitForEnd,
} from "./process.ts";

const children: ChildProcess[] = [];
afterEach(() => {
	for (const child of children.splice(0)) child.kill("SIGKILL");
});

/** A process that lives until it is ended; with `script`, once that has said something. */
async function living(
	command = "sleep",
	...args: string[]
): Promise<{ child: ChildProcess; id: ProcessIdentity }> {
	const child = spawn(command, args.length > 0 ? args : ["1000"], { stdio: ["ignore", "pipe", "ignore"] });
	children.push(child);
	await once(child, "spawn");
	const id = identify(child.pid ?? 0);
	if (!id) throw new Error("it ended at once");
	return { child, id };
}

test("a living process is known by pid and start", async () => {
	const { child, id } = await living();
	expect(id.pid).toBe(child.pid);
	expect(id.startTime).toBeGreaterThan(0);
	expect(isAlive(id)).toBe(true);
	expect(identify(id.pid)).toEqual(id);
});

test("nobody has pid 4194305", () => {
	expect(identify(4_194_305)).toBeUndefined();
});

test("another process that got the same pid is not taken for it", async () => {
	const { id } = await living();
	const earlier = { ...id, startTime: id.startTime - 1 };
	expect(isAlive(earlier)).toBe(false);
	expect(sendSignal(earlier, "SIGKILL")).toBe(false);
	expect(isAlive(id)).toBe(true);
});

test("a name with spaces and brackets does not confuse it", async () => {
	const { id } = await living("bash", "-c", "exec -a 'x) R 1 (y' sleep 1000");
	expect(stateOf(id)).toBeDefined();
	const named = spawn("bash", ["-c", "echo ') Z 1 (' > /proc/self/comm; echo ready; read"], {
		stdio: ["pipe", "pipe", "ignore"],
	});
	children.push(named);
	await once(named.stdout, "data");
	expect(identify(named.pid ?? 0)?.startTime).toBeGreaterThan(1000);
});

test("a stopped process is seen as stopped", async () => {
	const { id } = await living();
	sendSignal(id, "SIGSTOP");
	while (stateOf(id) !== "T") await new Promise(setImmediate);
	expect(await endProcess(id, 0)).toBe(true);
});

test("a process that has ended and is not yet reaped has ended", async () => {
	const parent = spawn("bash", ["-c", "true & echo $!; exec sleep 1000"], {
		stdio: ["ignore", "pipe", "ignore"],
	});
	children.push(parent);
	const [chunk] = await once(parent.stdout, "data");
	const pid = Number(String(chunk));
	while (identify(pid)) await new Promise(setImmediate);
	expect(identify(pid)).toBeUndefined();
});

test("a process that heeds SIGTERM ends by it", async () => {
	const { child, id } = await living();
	expect(await endProcess(id, 5000)).toBe(true);
	if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
	expect(child.signalCode).toBe("SIGTERM");
});

test("a process that ignores SIGTERM ends by SIGKILL", async () => {
	const child = spawn("bash", ["-c", "trap '' TERM; echo ready; while :; do read -t 1000; done"], {
		stdio: ["pipe", "pipe", "ignore"],
	});
	children.push(child);
	await once(child.stdout, "data");
	const id = identify(child.pid ?? 0);
	if (!id) throw new Error("it ended at once");
	expect(await endProcess(id, 50)).toBe(true);
	if (child.signalCode === null) await once(child, "exit");
	expect(child.signalCode).toBe("SIGKILL");
});

test("waiting for the end of one that lives on ends at the deadline", async () => {
	const { id } = await living();
	expect(await waitForEnd(id, 20)).toBe(false);
	expect(isAlive(id)).toBe(true);
});

test("ending one that has ended is fine", async () => {
	const { child, id } = await living();
	child.kill("SIGKILL");
	await once(child, "exit");
	expect(await endProcess(id, 1000)).toBe(true);
	expect(sendSignal(id, "SIGKILL")).toBe(false);
});
