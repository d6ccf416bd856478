import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { readUntrustedTail } from "../../src/host/files.ts";
import { QmpConnection, type QmpEvent } from "../../src/qemu/qmp/connection.ts";
import { type Frame, readPpm } from "../../src/screen/frame.ts";

/** Every QEMU of these tests is gone after this, whatever happens. */
const longestLifeMs = 600_000;

/** A QEMU without network that is looked at: for the stand-in, and for real systems whose screens are recorded. */
export class Watched implements AsyncDisposable {
	/** All that came from the first serial port. */
	serial = "";
	/** Names of the events that QEMU has told of. */
	readonly events: string[];
	readonly qemu: ChildProcess;
	private readonly folder: string;
	private readonly qmp: QmpConnection;

	private constructor(qemu: ChildProcess, folder: string, qmp: QmpConnection, events: string[]) {
		this.events = events;
		this.qemu = qemu;
		this.folder = folder;
		this.qmp = qmp;
	}

	/** @param args QEMU's, beside machine, memory, monitor and serial port */
	static async start(args: readonly string[], memory = "128M", network = false): Promise<Watched> {
		const folder = await mkdtemp(join(tmpdir(), "bulkhead-screens-"));
		const socket = join(folder, "qmp.sock");
		const nic = network ? [] : ["-nic", "none"];
		const common = ["-machine", "pc", "-accel", "tcg", "-m", memory, "-display", "none", ...nic];
		const monitor = ["-qmp", `unix:${socket},server=on,wait=off`, "-serial", "stdio"];
		const qemu = spawn("qemu-system-x86_64", [...common, ...monitor, ...args], {
			stdio: ["pipe", "pipe", "inherit"],
			timeout: longestLifeMs,
			killSignal: "SIGKILL",
		});
		try {
			const events: string[] = [];
			const qmp = await monitorOf(socket, qemu, events);
			const watched = new Watched(qemu, folder, qmp, events);
			qemu.stdout?.on("data", (chunk) => {
				watched.serial = (watched.serial + String(chunk)).slice(-(2 ** 20));
			});
			return watched;
		} catch (error) {
			qemu.kill("SIGKILL");
			await rm(folder, { recursive: true, force: true });
			throw error;
		}
	}

	/** The guest that build.ts makes, with a pvpanic device. */
	static async standIn(disk: string): Promise<Watched> {
		const devices = ["-vga", "std", "-device", "pvpanic", "-action", "panic=pause"];
		return await Watched.start([...devices, "-drive", `file=${disk},format=raw,if=ide`]);
	}

	/** Waits until the stand-in's scene stands on the screen. */
	async scene(number: number): Promise<void> {
		await this.until(() => this.serial.includes(`scene ${number}\n`), 60_000, `scene ${number}`);
	}

	/** Lets the stand-in go on to its next scene. */
	tell(text = "\n"): void {
		this.qemu.stdin?.write(text);
	}

	async frame(): Promise<Frame> {
		return readPpm(await this.dump(this.folder));
	}

	/** The file that QEMU writes into a folder, which is taken away again. */
	async dump(folder: string): Promise<Buffer> {
		const path = join(folder, `bulkhead-screen-${this.qemu.pid}.ppm`);
		try {
			await this.qmp.execute("screendump", { filename: path }, 10_000);
			// As the product reads it.
			const picture = await readUntrustedTail(path, 64 * 2 ** 20);
			if (!picture) throw new Error("QEMU wrote no picture");
			return picture;
		} finally {
			await rm(path, { force: true });
		}
	}

	/** Presses keys, one after the other, named as QEMU names them: `ret`, `esc`, `ctrl-alt-delete`. */
	async keys(...names: string[]): Promise<void> {
		for (const name of names) {
			await this.human(`sendkey ${name}`);
			await delay(150);
		}
	}

	async human(command: string): Promise<string> {
		return await this.qmp.execute("human-monitor-command", { "command-line": command });
	}

	async until(condition: () => boolean | Promise<boolean>, deadlineMs: number, what: string): Promise<void> {
		const end = performance.now() + deadlineMs;
		while (!(await condition())) {
			if (performance.now() > end) throw new Error(`no ${what} within ${deadlineMs} ms`);
			await delay(50);
		}
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.qmp.close();
		const ended = new Promise((resolve) => this.qemu.once("exit", resolve));
		if (this.qemu.exitCode === null && this.qemu.signalCode === null) {
			this.qemu.kill("SIGKILL");
			await ended;
		}
		await rm(this.folder, { recursive: true, force: true });
	}
}

async function monitorOf(socket: string, qemu: ChildProcess, events: string[]): Promise<QmpConnection> {
	const ear = { onEvent: ({ event }: QmpEvent) => void events.push(event), onDisconnect: () => {} };
	for (let tries = 0; ; tries++) {
		try {
			return await QmpConnection.open(socket, ear);
		} catch (error) {
			if (tries > 100 || qemu.exitCode !== null) throw error;
			await delay(50);
		}
	}
}
