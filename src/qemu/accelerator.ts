import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CommandError, run } from "../host/command.ts";

export interface AcceleratorChoice {
	accelerator: "kvm" | "tcg";
	/** Why, in words for `doctor`. */
	why: string;
}

/**
 * KVM where it really works, TCG elsewhere. /dev/kvm can exist and open and still be useless (nested without the
 * processor's flag), so it is tried: the flag in /proc/cpuinfo, then a guest of five bytes that must answer.
 */
export async function chooseAccelerator(): Promise<AcceleratorChoice> {
	const flags = /^flags\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1]?.split(" ") ?? [];
	if (!flags.includes("vmx") && !flags.includes("svm")) {
		return {
			accelerator: "tcg",
			why: "the processor shows neither vmx nor svm (switch virtualization on in the firmware, or nested virtualization in the host above)",
		};
	}
	const answer = await probe("kvm");
	return answer === "answered"
		? { accelerator: "kvm", why: "a probe guest ran" }
		: {
				accelerator: "tcg",
				why: `the processor has virtualization, but a probe guest did not run: ${answer}`,
			};
}

/**
 * Runs a guest whose whole firmware is: mov al,0x10; out 0xf4,al; hlt. QEMU's isa-debug-exit device turns the
 * value v into exit code 2v+1 = 33.
 */
export async function probe(accelerator: "kvm" | "tcg"): Promise<string> {
	const folder = await mkdtemp(join(tmpdir(), "bulkhead-probe-"));
	try {
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
		await run("qemu-system-x86_64", [...machine, ...firmwareArguments], { deadlineMs: 3000 });
		return "it ended without an answer";
	} catch (error) {
		if (error instanceof CommandError && error.code === 33) return "answered";
		return error instanceof Error ? error.message : String(error);
	} finally {
		await rm(folder, { recursive: true, force: true });
	}
}
