import { systemClock } from "../../host/clock.ts";
import type { QemuMachine } from "../../qemu/machine.ts";

/** The boot loader of Windows' discs asks for a key for five seconds, and goes on without the disc else. */
const pressed = { everyMs: 1000, forMs: { kvm: 20_000, tcg: 90_000 } } as const;

/**
 * Presses a key for as long as the disc of an unattended installation may ask for one. With UEFI it asks on an empty
 * disk, too; once there is something on the disk, that is booted first, and a space bar is nothing to it.
 */
export async function pressAnyKey(
	qemu: QemuMachine,
	accelerator: "kvm" | "tcg",
	startedAt: number,
): Promise<void> {
	const forMs = pressed.forMs[accelerator];
	// Of the time since then, which another daemon may have told, no more counts than there is: clocks are set.
	const end = performance.now() + Math.min(forMs, forMs - (Date.now() - startedAt));
	while (performance.now() < end) {
		await systemClock.sleep(pressed.everyMs);
		try {
			await qemu.pressKeys(["spc"]);
		} catch {
			// The session has ended: there is nobody to press keys for.
			return;
		}
	}
}
