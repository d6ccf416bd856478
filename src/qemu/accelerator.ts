import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { explain } from "../api/errors.ts";
import { CommandError, run } from "../host/command.ts";

export interface AcceleratorChoice {
	accelerator: "kvm" | "tcg";
	/** Why, in words for `doctor`. */
	why: string;
	/** False where it could not be told whether KVM works: TCG is for want of knowledge then. */
	isKnown: boolean;
}

/** What became of a probe guest: it ran, QEMU said no, or nobody knows, as it did not even come to that. */
export type Probed = { kind: "answered" } | { kind: "refused" | "untried"; why: string };

/** A host that has just started, with all its servers, is busy. */
const deadlineMs = 15_000;
const attempts = 3;
const pauseMs = 1000;

/**
 * KVM where it really works, TCG elsewhere. /dev/kvm can exist and open and still be useless (nested without the
 * processor's flag), so it is tried: the flag in /proc/cpuinfo, then a guest of five bytes that must answer.
 * @param folder where that guest is written
 */
export async function chooseAccelerator(folder = tmpdir()): Promise<AcceleratorChoice> {
	return await acceleratorBy(
		readFileSync("/proc/cpuinfo", "utf8"),
		async () => await probe("kvm", folder, deadlineMs),
		async () => await delay(pauseMs),
	);
}

/**
 * A choice holds for as long as the daemon runs, and with another one no seal fits: what could not be tried is tried again.
 * @param cpuinfo proc(5)
 */
export async function acceleratorBy(
	cpuinfo: string,
	tryKvm: () => Promise<Probed>,
	pause: () => Promise<void>,
): Promise<AcceleratorChoice> {
	const flags = /^flags\s*:(.*)$/m.exec(cpuinfo)?.[1]?.split(" ") ?? [];
	if (!flags.includes("vmx") && !flags.includes("svm")) {
		const why =
			"the processor shows neither vmx nor svm (switch virtualization on in the firmware, or nested virtualization in the host above)";
		return { accelerator: "tcg", why, isKnown: true };
	}
	let probed = await tryKvm();
	for (let tried = 1; probed.kind === "untried" && tried < attempts; tried++) {
		await pause();
		probed = await tryKvm();
	}
	if (probed.kind === "answered") return { accelerator: "kvm", why: "a probe guest ran", isKnown: true };
	const isKnown = probed.kind === "refused";
	const what = isKnown ? "a probe guest did not run" : `KVM could not be tried (${attempts} times)`;
	const why = `the processor has virtualization, but ${what}: ${probed.why}`;
	return { accelerator: "tcg", why, isKnown };
}

/**
 * Runs a guest whose whole firmware is: mov al,0x10; out 0xf4,al; hlt. QEMU's isa-debug-exit device turns the
 * value v into exit code 2v+1 = 33.
 * @param within where its firmware is written
 * @param deadlineMs milliseconds that it may take
 */
export async function probe(accelerator: "kvm" | "tcg", within: string, deadlineMs: number): Promise<Probed> {
	await using undo = new AsyncDisposableStack();
	try {
		const folder = await mkdtemp(join(within, "bulkhead-probe-"));
		undo.defer(async () => await rm(folder, { recursive: true, force: true }).catch(() => {}));
		const firmware = Buffer.alloc(65536);
		Buffer.from([0xb0, 0x10, 0xe6, 0xf4, 0xf4]).copy(firmware, 0xfff0);
		await writeFile(join(folder, "firmware"), firmware);
		const machine = ["-accel", accelerator, "-machine", "pc", "-m", "16", "-nodefaults", "-display", "none"];
		const firmwareArguments = [
			"-bios",
			join(folder, "firmware"),
			"-device",
			"isa-debug-exit,iobase=0xf4,iosize=4",
		];
		await run("qemu-system-x86_64", [...machine, ...firmwareArguments], { deadlineMs });
		return { kind: "refused", why: "it ended without an answer" };
	} catch (error) {
		const code = error instanceof CommandError ? error.code : null;
		if (code === 33) return { kind: "answered" };
		// Without a code nobody said no: it did not begin, took too long, or was killed.
		return { kind: code === null ? "untried" : "refused", why: explain(error) };
	}
}
