import { randomUUID } from "node:crypto";
import { existsSync, openSync, readFileSync } from "node:fs";
import { chmod, mkdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { explain } from "../../api/errors.ts";
import { parseDuration } from "../../api/units.ts";
import { withDeadline } from "../../host/clock.ts";
import { run } from "../../host/command.ts";
import { giveUntrusted } from "../../host/files.ts";
import { SharedMemory } from "../../host/shared-memory.ts";
import { commandLine, machineTypeOf } from "../../qemu/command-line/index.ts";
import { platformOf } from "../../qemu/guests.ts";
import type { QemuMachine } from "../../qemu/machine.ts";
import type { SealPaths } from "../../store/paths.ts";
import {
	type MadeWith,
	type Manifest,
	readManifest,
	SealError,
	verifyPart,
	whyUnusable,
	writeManifest,
} from "../../store/seals.ts";
import type { StoredServer } from "../../store/servers.ts";
import type { Context } from "../context.ts";
import { type Beginning, guestOf, hardwareOf, memoryOf, qemuUid } from "../resolve.ts";
import { refuseWithoutRoom } from "../room.ts";
import { consoleWords } from "./console-words.ts";
import { hurryAfter } from "./hurry.ts";
import type { Launcher } from "./launcher.ts";

const dayMs = 86_400_000;
const settledPath = "/usr/lib/bulkhead/settled";
const settledEveryMs = 500;
/** What is given up goes on in the guest, beside the next one. */
const settledAnswersMs = 30_000;
const endsWithinMs = 10_000;
/**
 * Milliseconds that a boot to be sealed has what time others leave, which on a host whose guests keep it busy is a fiftieth
 * of what each of them has: it would hardly be over within its deadline, and be begun anew.
 */
const patienceMs = 15_000;
/** The first descriptor that a confined process inherits. */
const memoryDescriptor = 4;
export const stateDescriptor = 5;

/** Left on the disk that all servers have their own on. */
const reserveBytes = 2 ** 30;

/** A seal that sessions can start from: its memory is loaded, checked and unchangeable. */
export interface OpenSeal {
	manifest: Manifest;
	memory: SharedMemory;
}

/** @returns undefined when the guest says that it may be sealed; why not, in words, else */
async function whyNotSettled(
	qemu: QemuMachine,
	withinMs: number,
	signal: AbortSignal,
): Promise<string | undefined> {
	// What it is told to run before its agent reads is kept, and all of it run at once when it does.
	if (!qemu.hasAgent) {
		qemu.askAgent();
		return "its guest agent has not answered yet";
	}
	const asked = async () => await qemu.runInGuest(settledPath, [], withinMs);
	return await withDeadline(settledPath, withinMs + 1000, asked, signal).then(
		() => undefined,
		(error: unknown) => explain(error),
	);
}

/** The seal of one server: what its sessions start from, instead of booting. */
export class Seals {
	private readonly launcher: Launcher;
	private readonly context: Context;
	private current: OpenSeal | undefined;

	constructor(launcher: Launcher, context: Context) {
		this.launcher = launcher;
		this.context = context;
	}

	get open(): OpenSeal | undefined {
		return this.current;
	}

	/**
	 * Makes the kept seal ready for use. One that cannot be used is thrown away.
	 * @param pids of sessions that may hold its memory already
	 * @returns undefined when it is ready; why not, in words, else
	 * @throws Error when that cannot be told now; it is kept then
	 */
	async prepare(pids: readonly number[], signal: AbortSignal): Promise<string | undefined> {
		const why = await this.whyNot(pids, signal);
		if (why !== undefined) await this.drop();
		return why;
	}

	/**
	 * Throws the seal away, and what a daemon that ended while it made one has left. Sessions that run from it go on: they have
	 * its memory and its overlay open.
	 * @returns whether anything was there
	 */
	async clear(): Promise<boolean> {
		const folders = [this.paths.folder, draftOf(this.paths).folder];
		const wasThere = this.current !== undefined || folders.some((folder) => existsSync(folder));
		await this.drop();
		for (const folder of folders) await rm(folder, { recursive: true, force: true });
		return wasThere;
	}

	private async drop(): Promise<void> {
		this.close();
		await rm(this.paths.folder, { recursive: true, force: true });
	}

	/** Lets go of its memory; what is on disk stays. */
	close(): void {
		this.current?.memory.close();
		this.current = undefined;
	}

	/**
	 * Boots the server once more, without network and without its data disks, freezes it when it says that it is
	 * settled, and keeps what it was then. That session never goes on.
	 * @throws Error in words; the seal that there was is kept then
	 */
	async make(number: number, signal: AbortSignal): Promise<void> {
		const id = randomUUID();
		const bytes = memoryBytes(this.server);
		await using undo = new AsyncDisposableStack();
		const memory = await SharedMemory.create(`bulkhead-seal-${id}`, bytes);
		undo.defer(() => memory.close());
		undo.defer(async () => void (await this.launcher.cleanUp(number)));
		const madeWith = await this.madeWith();
		const state = await this.freeze(number, memory, signal);
		const madeAt = Date.now();
		await memory.seal();
		const draft = draftOf(this.paths);
		await rm(draft.folder, { recursive: true, force: true });
		// The old one is there until this one is; and all servers have their disks there.
		await refuseWithoutRoom(dirname(draft.folder), memory.usedBytes + state.length, reserveBytes);
		await mkdir(draft.folder, { mode: 0o700 });
		undo.defer(async () => await rm(draft.folder, { recursive: true, force: true }));
		await this.keepSystem(number, draft);
		await writeFile(draft.state, state, { mode: 0o600 });
		await memory.copyTo(draft.ram, signal);
		await chmod(draft.ram, 0o600);
		const manifest = await writeManifest(
			draft,
			{ id, session: number, madeAt, madeWith, memoryBytes: bytes },
			signal,
		);
		await this.drop();
		await rename(draft.folder, this.paths.folder);
		undo.move();
		this.current = { manifest, memory };
		await this.launcher.cleanUp(number);
	}

	/** Its device state, as a descriptor that the caller closes. */
	openState(): number {
		return openSync(this.paths.state, "r");
	}

	private get server(): StoredServer {
		return this.launcher.server;
	}

	private get paths(): SealPaths {
		return this.context.paths.server(this.server.name).seal;
	}

	private get maxAgeMs(): number {
		return parseDuration(this.server.definition.recovery?.sealAge ?? "14d") ?? 14 * dayMs;
	}

	private async whyNot(pids: readonly number[], signal: AbortSignal): Promise<string | undefined> {
		try {
			const manifest = await readManifest(this.paths);
			if (!manifest) return "there is none yet";
			const why = whyUnusable(manifest, await this.madeWith(), Date.now(), this.maxAgeMs);
			if (why !== undefined) return why;
			if (this.current?.manifest.id === manifest.id) return undefined;
			for (const part of ["system", "state"] as const)
				await verifyPart(manifest, part, this.paths[part], signal);
			const memory = await this.memoryOf(manifest, pids, signal);
			this.close();
			this.current = { manifest, memory };
			return undefined;
		} catch (error) {
			signal.throwIfAborted();
			if (error instanceof SealError) return error.message;
			throw error;
		}
	}

	private async memoryOf(
		manifest: Manifest,
		pids: readonly number[],
		signal: AbortSignal,
	): Promise<SharedMemory> {
		const name = `bulkhead-seal-${manifest.id}`;
		await verifyPart(manifest, "ram", this.paths.ram, signal);
		const shared = await SharedMemory.find(name, pids);
		const memory = shared ?? (await SharedMemory.create(name, manifest.memoryBytes));
		try {
			if (!shared) {
				await memory.fill(this.paths.ram, signal);
				await memory.seal();
			}
			await verifyPart(manifest, "ram", memory.path, signal);
			return memory;
		} catch (error) {
			memory.close();
			throw error;
		}
	}

	private async freeze(number: number, memory: SharedMemory, signal: AbortSignal): Promise<Buffer> {
		const hardware = hardwareOf(this.server, this.beginning(number));
		const failure = new AbortController();
		const fail = (why: string) => failure.abort(new Error(`the boot to be sealed failed: ${why}`));
		const { qemu, ended } = await this.launcher.start(
			{ number, hardware, importance: "waiting", descriptors: [memory.descriptor] },
			(event) => {
				if (event.kind === "qmp" && event.event.event === "GUEST_PANICKED") fail("its kernel panicked");
				if (event.kind === "ended") fail("QEMU ended");
			},
		);
		try {
			const { launcher, context } = this;
			await using _ = hurryAfter(patienceMs, { number, launcher, log: context.log });
			const over = AbortSignal.any([signal, failure.signal]);
			await this.untilSettled(qemu, over).catch(async (error: unknown) => {
				signal.throwIfAborted();
				const cause: unknown = failure.signal.aborted ? failure.signal.reason : error;
				const words = await consoleWords(this.launcher.files(number).console);
				// Not as its cause, whose words would be said twice.
				throw new Error(`${explain(cause)}${words}`);
			});
			return await qemu.save();
		} finally {
			await qemu.close(true);
			// As long as its memory is still being taken apart, nothing can be sealed.
			await withDeadline("the end of the boot to be sealed", endsWithinMs, async () => await ended);
		}
	}

	private async untilSettled(qemu: QemuMachine, signal: AbortSignal): Promise<void> {
		const deadline = parseDuration(this.server.definition.recovery?.bootDeadline ?? "5m") ?? 300_000;
		const end = performance.now() + deadline;
		for (;;) {
			signal.throwIfAborted();
			const leftMs = Math.max(1000, Math.ceil(end - performance.now()));
			const why = await whyNotSettled(qemu, Math.min(settledAnswersMs, leftMs), signal);
			if (why === undefined) return;
			if (performance.now() > end)
				throw new Error(`the boot to be sealed was not settled within ${deadline / 1000} s: ${why}`);
			await delay(settledEveryMs, undefined, { signal });
		}
	}

	/**
	 * The overlay that the frozen boot wrote to; nobody writes to it from here on. A QEMU that was captured may have left
	 * anything in its place: it is looked at where that cannot reach it any more.
	 */
	private async keepSystem(number: number, draft: SealPaths): Promise<void> {
		await rename(this.launcher.files(number).overlay, draft.system);
		if (!(await giveUntrusted(draft.system, 0, qemuUid(this.server), 0o440)))
			throw new Error("the boot to be sealed has left no plain file where its system disk was");
	}

	private beginning(session: number): Beginning {
		const { accelerator } = this.context.acceleration;
		const memory = { kind: "sealing", descriptor: memoryDescriptor } as const;
		return { session, accelerator, memory, generation: randomUUID() };
	}

	private async madeWith(): Promise<MadeWith> {
		const { accelerator } = this.context.acceleration;
		const { size, mtimeMs } = await stat(this.context.paths.server(this.server.name).disk("system"));
		return {
			qemu: await qemuVersion(),
			machine: machineTypeOf(platformOf(guestOf(this.server), accelerator)),
			accelerator,
			processor: accelerator === "kvm" ? processor() : "",
			command: fingerprint(this.server, accelerator),
			base: `${size} ${mtimeMs}`,
		};
	}
}

/** Hardware of a session that starts from a seal. */
export function sealedHardware(server: StoredServer, session: number, accelerator: "kvm" | "tcg") {
	const memory = { kind: "sealed", descriptor: memoryDescriptor } as const;
	return hardwareOf(server, { session, accelerator, memory, generation: randomUUID() });
}

function memoryBytes(server: StoredServer): number {
	return Math.ceil(memoryOf(server) / 2 ** 20) * 2 ** 20;
}

function draftOf({ folder }: SealPaths): SealPaths {
	const draft = `${folder}.draft`;
	const at = (name: string) => `${draft}/${name}`;
	return {
		folder: draft,
		manifest: at("seal.json"),
		ram: at("ram"),
		state: at("state"),
		system: at("system.qcow2"),
	};
}

/** The command line without what is different in each session: its number, its tap, its generation. */
function fingerprint(server: StoredServer, accelerator: "kvm" | "tcg"): string {
	const memory = { kind: "sealed", descriptor: memoryDescriptor } as const;
	const hardware = hardwareOf(server, { session: 0, accelerator, memory, generation: "" });
	return commandLine(hardware).join(" ");
}

/** Asked anew each time: a package update changes it while the daemon runs. */
async function qemuVersion(): Promise<string> {
	const { stdout } = await run("qemu-system-x86_64", ["--version"], { deadlineMs: 5000 });
	return (stdout.split("\n")[0] ?? "").trim();
}

function processor(): string {
	const text = readFileSync("/proc/cpuinfo", "utf8");
	const field = (name: string) => new RegExp(`^${name}\\s*:(.*)$`, "m").exec(text)?.[1]?.trim() ?? "";
	return `${field("model name")} ${field("flags")}`;
}
