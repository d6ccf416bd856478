import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { run } from "../../src/host/command.ts";
import { createDataImage } from "../../src/qemu/image.ts";
import { ensureBuilt } from "../../src/templates/build.ts";
import { readTemplate } from "../../src/templates/catalogue.ts";
import { patience, until } from "./harness.ts";

/**
 * What host and guest have agreed on for warm recovery (docs/warm.md), asked of a guest in a plain QEMU, without a
 * daemon: `settled`, `wake`, `guest-set-time`, disks that arrive.
 */
let folder = "";
let qemu: ChildProcess;
let agent: LineSocket;
let monitor: LineSocket;

beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), "bulkhead-contract-"));
	const template = await readTemplate("tiny");
	const built = await ensureBuilt(template, {
		cache: process.env.BULKHEAD_CACHE ?? "/var/cache/bulkhead",
		onStep: () => {},
	});
	const system = join(folder, "system.qcow2");
	const overlay = ["create", "-q", "-f", "qcow2", "-b", join(built.folder, "system.qcow2"), "-F", "qcow2"];
	await run("qemu-img", [...overlay, system], { deadlineMs: 10_000 });
	await createDataImage(join(folder, "ten-letter.qcow2"), "ten-letter", 64 * 2 ** 20);
	qemu = spawn("qemu-system-x86_64", machine(built.folder, system, template.boot.append), {
		stdio: "ignore",
	});
	monitor = await LineSocket.open(join(folder, "qmp.sock"));
	await monitor.ask({ execute: "qmp_capabilities" });
	agent = await LineSocket.open(join(folder, "agent.sock"));
	await until("the guest agent", async () => await answers(), patience.state);
});

afterAll(async () => {
	if (qemu && qemu.exitCode === null) {
		const gone = once(qemu, "exit");
		qemu.kill("SIGKILL");
		await gone;
	}
	agent?.close();
	monitor?.close();
	await rm(folder, { recursive: true, force: true });
});

function machine(images: string, system: string, append: string): string[] {
	return [
		...["-machine", "pc-q35-7.2", "-accel", "tcg", "-cpu", "max", "-m", "128M"],
		...["-nodefaults", "-no-user-config", "-display", "none"],
		...["-kernel", join(images, "kernel"), "-initrd", join(images, "initrd")],
		...["-append", `${append} bulkhead.server=contract bulkhead.session=1`],
		...["-drive", `if=none,id=system,file=${system},format=qcow2`],
		...["-device", "virtio-blk-pci,drive=system,serial=system"],
		...["-device", "virtio-rng-pci", "-device", "virtio-scsi-pci,id=scsi", "-device", "vmgenid,guid=auto"],
		...[
			"-device",
			"virtio-serial-pci",
			"-chardev",
			`socket,id=agent,path=${join(folder, "agent.sock")},server=on,wait=off`,
		],
		...["-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0"],
		...[
			"-qmp",
			`unix:${join(folder, "qmp.sock")},server=on,wait=off`,
			"-serial",
			`file:${join(folder, "console.log")}`,
		],
	];
}

/** One JSON object a line in both directions; events of QMP are passed over. */
class LineSocket {
	private readonly socket: Socket;
	private partial = "";
	private waiting: ((line: string) => void) | undefined;

	private constructor(socket: Socket) {
		this.socket = socket;
		socket.setEncoding("latin1").on("data", (chunk: string) => {
			const lines = (this.partial + chunk).split("\n");
			this.partial = lines.pop() ?? "";
			for (const line of lines) this.waiting?.(line);
		});
		socket.on("error", () => {});
	}

	static async open(path: string): Promise<LineSocket> {
		let socket: Socket | undefined;
		const opened = async () => {
			const attempt = connect(path);
			const failed = await Promise.race([
				once(attempt, "connect").then(() => false),
				new Promise<boolean>((resolve) => attempt.once("error", () => resolve(true))),
			]);
			if (!failed) socket = attempt;
			return !failed;
		};
		await until(`the socket ${path}`, opened, patience.answer);
		return new LineSocket(socket as Socket);
	}

	/** @returns what `return` holds. @throws Error with what it says instead, or when nothing comes in time */
	async ask(question: object, deadlineMs: number = patience.answer): Promise<unknown> {
		const { promise, resolve, reject } = Promise.withResolvers<unknown>();
		const timer = setTimeout(() => reject(new Error(`no answer to ${JSON.stringify(question)}`)), deadlineMs);
		this.waiting = (line) => {
			const message = parsed(line);
			if (message?.error) reject(new Error(JSON.stringify(message.error)));
			else if (message && "return" in message) resolve(message.return);
		};
		this.socket.write(`${JSON.stringify(question)}\n`);
		return await promise.finally(() => clearTimeout(timer));
	}

	close(): void {
		this.socket.destroy();
	}
}

function parsed(line: string): Record<string, unknown> | undefined {
	try {
		return JSON.parse(line.replaceAll("\xff", "")) as Record<string, unknown>;
	} catch {
		return undefined;
	}
}

async function answers(): Promise<boolean> {
	const id = Math.floor(Math.random() * 1e9);
	const question = { execute: "guest-sync-delimited", arguments: { id } };
	return (await agent.ask(question, 2000).catch(() => undefined)) === id;
}

interface Ended {
	exited: boolean;
	exitcode?: number;
	"out-data"?: string;
	"err-data"?: string;
}

/** Runs a program in the guest, to its end. */
async function guest(
	path: string,
	...arg: string[]
): Promise<{ code: number | undefined; stdout: string; stderr: string }> {
	const started = await agent.ask({
		execute: "guest-exec",
		arguments: { path, arg, "capture-output": true },
	});
	const { pid } = started as { pid: number };
	let ended: Ended = { exited: false };
	const over = async () => {
		ended = (await agent.ask({ execute: "guest-exec-status", arguments: { pid } })) as Ended;
		return ended.exited;
	};
	await until(`the end of ${path}`, over, patience.state);
	const words = (data = "") => Buffer.from(data, "base64").toString();
	return { code: ended.exitcode, stdout: words(ended["out-data"]), stderr: words(ended["err-data"]) };
}

const shell = async (line: string) => await guest("/bin/sh", "-c", line);

test("it says when it may be sealed, and nothing else", async () => {
	const settled = async () => {
		const { code, stderr } = await guest("/usr/lib/bulkhead/settled");
		if (code !== 0) expect(stderr).toMatch(/^.+\n$/);
		return code === 0;
	};
	await until("the guest settled", settled, patience.state);
	expect(await guest("/usr/lib/bulkhead/settled")).toEqual({ code: 0, stdout: "", stderr: "" });
});

test("its clock can be set through the agent", async () => {
	const time = Date.UTC(2031, 0, 2) * 1e6;
	await agent.ask({ execute: "guest-set-time", arguments: { time } });
	expect((await shell("date -u +%Y-%m-%d")).stdout).toBe("2031-01-02\n");
});

test("woken, it has the session's number, the right time, new random numbers, and has run wake.d in order", async () => {
	const noting = (name: string) =>
		`printf '#!/bin/sh\\necho ${name} $BULKHEAD_SESSION >> /run/order\\n' > /etc/bulkhead/wake.d/${name} && chmod +x /etc/bulkhead/wake.d/${name}`;
	await shell(
		`mkdir -p /etc/bulkhead/wake.d && ${noting("20-second")} && ${noting("10-first")} && echo no > /etc/bulkhead/wake.d/README`,
	);
	const seconds = Math.floor(Date.now() / 1000);
	expect(await guest("/usr/lib/bulkhead/wake", "7", String(seconds))).toEqual({
		code: 0,
		stdout: "",
		stderr: "",
	});
	expect((await shell("cat /run/order")).stdout).toBe("10-first 7\n20-second 7\n");
	const { stdout: page } = await shell("wget -q -O - http://127.0.0.1/id");
	expect(page).toMatch(/^server=contract session=7 boot=[0-9a-f-]{36}\n$/);
	const { stdout: now } = await shell("date +%s");
	expect(Number(now) - seconds).toBeGreaterThanOrEqual(0);
	expect(Math.abs(Date.now() / 1000 - Number(now))).toBeLessThan(60);
});

test("a program of wake.d that fails is named, and those after it run all the same", async () => {
	await shell(
		"rm /run/order; printf '#!/bin/sh\\nexit 3\\n' > /etc/bulkhead/wake.d/15-broken; chmod +x /etc/bulkhead/wake.d/15-broken",
	);
	const { code, stderr } = await guest("/usr/lib/bulkhead/wake", "8", "1800000000");
	expect({ code, stderr }).toEqual({
		code: 1,
		stderr: "/etc/bulkhead/wake.d/15-broken failed with exit code 3\n",
	});
	expect((await shell("cat /run/order")).stdout).toBe("10-first 8\n20-second 8\n");
});

test("a disk that arrives while it runs is mounted by its name", async () => {
	const file = { driver: "file", filename: join(folder, "ten-letter.qcow2") };
	await monitor.ask({ execute: "blockdev-add", arguments: { "node-name": "data", driver: "qcow2", file } });
	const device = { driver: "scsi-hd", bus: "scsi.0", drive: "data", serial: "ten-letter", id: "data" };
	await monitor.ask({ execute: "device_add", arguments: device });
	const mounted = async () =>
		(await shell("grep -c ' /data/ten-letter ext4 ' /proc/mounts")).stdout === "1\n";
	await until("the disk mounted", mounted, patience.state);
});

test("a request that is noted is on the host's console log before it is answered; replies have their length", async () => {
	const reply = await shell(
		"head -c 1048576 /dev/zero > /tmp/body; wget -q -S -O - --post-file=/tmp/body 'http://127.0.0.1/cgi-bin/note?id=x1' 2>&1",
	);
	expect(await readFile(join(folder, "console.log"), "latin1")).toMatch(/^note x1\r?$/m);
	expect(reply.stdout).toMatch(/HTTP\/1\.[01] 200 OK[\s\S]*Content-Length: 9[\s\S]*noted x1\n/);
	const sizes = "for f in 1k 16k 256k 1m; do wget -q -O - http://127.0.0.1/bytes/$f | wc -c; done";
	expect((await shell(sizes)).stdout).toBe("1024\n16384\n262144\n1048576\n");
});
