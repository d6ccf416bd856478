import { BulkheadError, explain } from "../../api/errors.ts";
import { DeadlineError } from "../../host/clock.ts";
import type { QemuMachine } from "../../qemu/machine.ts";
import { QmpError, QmpGone } from "../../qemu/qmp/errors.ts";

/**
 * Presses keys on a server's keyboard, one combination after the other.
 * @throws BulkheadError bad-input for a key that there is not, not-allowed-now when its session ends meanwhile,
 *   guest-did-not-answer when QEMU does not answer; those before it were pressed in any case
 */
export async function pressKeys(
	server: string,
	qemu: Pick<QemuMachine, "pressKeys">,
	keys: readonly string[],
): Promise<void> {
	for (const [pressed, key] of keys.entries()) {
		try {
			await qemu.pressKeys(key.split("-"));
		} catch (cause) {
			throw refusal(cause, key, `${pressed} of ${keys.length} keys were pressed`, server);
		}
	}
}

function refusal(cause: unknown, key: string, soFar: string, server: string): unknown {
	if (cause instanceof QmpError)
		return new BulkheadError("bad-input", `there is no key ${key}: ${explain(cause)}`, { cause });
	if (cause instanceof QmpGone)
		return new BulkheadError("not-allowed-now", `the session of ${server} has ended: ${soFar}`, { cause });
	if (cause instanceof DeadlineError)
		return new BulkheadError("guest-did-not-answer", `QEMU does not answer: ${soFar}`, { cause });
	return cause;
}
