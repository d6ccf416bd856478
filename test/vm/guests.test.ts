import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { access, constants, copyFile, mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { withDeadline } from "../../src/host/clock.ts";
import { run } from "../../src/host/command.ts";
import { firmwareFiles, variablesFile } from "../../src/qemu/command-line/index.ts";
import { QmpConnection } from "../../src/qemu/qmp/connection.ts";

/**
 * Every golden of a guest's hardware is given to the real QEMU, which builds that machine and does not start it (`-S`).
 * With KVM that says that this QEMU and kernel know all of its properties, not that a guest runs. A kernel without
 * Hyper-V's interfaces (or one in a virtual machine) refuses them: then QEMU is asked without KVM whether it knows their names.
 */

const goldens = join(import.meta.dirname, "../../src/qemu/command-line/goldens");
const names = readdirSync(goldens).filter((name) => /^(guest|buses)-/.test(name));
/** Whether this host's KVM takes processors with these properties. */
async function takes(processor: string): Promise<boolean> {
	const opens = await access("/dev/kvm", constants.R_OK | constants.W_OK).then(
		() => true,
		() => false,
	);
	if (!opens) return false;
	const command = [
		"-S",
		"-nodefaults",
		"-display",
		"none",
		"-accel",
		"kvm",
		"-cpu",
		processor,
		"-monitor",
		"stdio",
	];
	return await run("qemu-system-x86_64", command, { deadlineMs: 10_000, input: "quit\n" }).then(
		() => true,
		() => false,
	);
}
const kvm = { plain: await takes("host"), hyperv: await takes("host,hv-relaxed,hv-vpindex") };
let folder = "";

beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), "bh-guests-"));
	for (const disk of ["system", "data", "a", "b", "c", "d"])
		await run("qemu-img", ["create", "-q", "-f", "qcow2", join(folder, `${disk}.qcow2`), "64M"], {
			deadlineMs: 10_000,
		});
	for (const disc of ["installer.iso", "drivers.iso", "answers.img"]) {
		await writeFile(join(folder, disc), "");
		await truncate(join(folder, disc), 2 ** 20);
	}
	for (const kind of ["uefi", "uefi-secure"] as const)
		await copyFile(firmwareFiles[kind].variables, join(folder, variablesFile(kind)));
});

afterAll(async () => {
	await rm(folder, { recursive: true, force: true });
});

/** A golden's command line with this test's files for those of a session, and no tap. */
function commandOf(golden: string): string[] {
	const text = readFileSync(join(goldens, golden), "utf8")
		.trimEnd()
		.replaceAll(/\/(?:session|sockets|boot|disks|firmware|discs)\//g, `${folder}/`)
		.replace(/tap,id=net0,\S+/, "user,id=net0");
	const possible = text.includes(",hv-") ? kvm.hyperv : kvm.plain;
	return (possible ? text : withoutKvm(text)).split("\n").flatMap((line) => {
		const space = line.indexOf(" ");
		return space < 0 ? [line] : [line.slice(0, space), line.slice(space + 1)];
	});
}

/**
 * Host processors and Hyper-V's numbers of processors are KVM's alone; the names of Hyper-V's other
 * properties QEMU knows in any case.
 */
function withoutKvm(text: string): string {
	return text
		.replace("-accel kvm\n", "-accel tcg\n")
		.replace("-cpu host", "-cpu max")
		.replace(",hv-vpindex", "");
}

/** Starts a program that ends with the test. @returns it, and what it wrote so far */
function start([file = "", ...args]: string[]) {
	const child = spawn(file, args, { stdio: ["ignore", "pipe", "pipe"] });
	const said: string[] = [];
	for (const stream of [child.stdout, child.stderr])
		stream.on("data", (bytes: Buffer) => said.push(String(bytes)));
	return {
		said: () => said.join(""),
		child,
		[Symbol.asyncDispose]: async () => {
			child.kill("SIGKILL");
			if (child.exitCode === null && child.signalCode === null)
				await new Promise((ended) => child.once("exit", ended));
		},
	};
}

/** A socket's file is there a moment before anybody may connect: __SO_ACCEPTCON in unix_sock's flags, proc(5). */
function isListening(path: string): boolean {
	const line = readFileSync("/proc/net/unix", "utf8")
		.split("\n")
		.find((one) => one.endsWith(` ${path}`));
	return line !== undefined && line.split(/\s+/)[3] === "00010000";
}

async function untilListening(
	path: string,
	{ child, said }: { child: ChildProcess; said: () => string },
): Promise<void> {
	await withDeadline(path, 20_000, async (signal) => {
		while (!isListening(path)) {
			if (child.exitCode !== null) throw new Error(`it ended: ${said()}`);
			signal.throwIfAborted();
			await new Promise((resolve) => setTimeout(resolve, 10));
		}
	});
}

test.each(names)("QEMU builds %s", async (golden) => {
	const command = commandOf(golden);
	for (const socket of ["qmp", "tpm", "vnc", "agent", "console"])
		await rm(join(folder, `${socket}.sock`), { force: true });
	const socket = join(folder, "tpm.sock");
	await using tpm = start([
		"swtpm",
		"socket",
		"--tpm2",
		"--tpmstate",
		`dir=${folder}`,
		"--ctrl",
		`type=unixio,path=${socket}`,
	]);
	await untilListening(socket, tpm);
	await using qemu = start([...command, "-S"]);
	await untilListening(join(folder, "qmp.sock"), qemu);
	const monitor = await QmpConnection.open(join(folder, "qmp.sock"), {
		onEvent: () => {},
		onDisconnect: () => {},
		onHeard: () => {},
	});
	expect(await monitor.execute("query-status", {})).toMatchObject({ status: "prelaunch", running: false });
	monitor.close();
	expect(qemu.said()).toBe("");
});
