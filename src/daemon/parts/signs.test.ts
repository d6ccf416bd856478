import { expect, test } from "vitest";
import type { MachineEvent } from "../../qemu/machine.ts";
import type { QmpEvent } from "../../qemu/qmp/connection.ts";
import { signOf } from "./signs.ts";

const at = 1000;
/** Data as QEMU may really send it, whatever the types promise. */
function qmp(event: string, data: unknown = {}): MachineEvent {
	return { kind: "qmp", event: { event, data, receivedAt: at } as unknown as QmpEvent, at };
}

test.each<[MachineEvent, unknown]>([
	[
		{ kind: "ended", code: 137, at },
		{ kind: "process-ended", code: 137, at },
	],
	[
		{ kind: "monitor-lost", why: "EPIPE", at },
		{ kind: "qmp-lost", why: "EPIPE", at },
	],
	[
		qmp("SHUTDOWN", { guest: true, reason: "guest-shutdown" }),
		{ kind: "shutdown", guest: true, reason: "guest-shutdown", at },
	],
	[
		qmp("RESET", { guest: false, reason: "host-qmp-system-reset" }),
		{ kind: "reset", guest: false, reason: "host-qmp-system-reset", at },
	],
	[
		qmp("BLOCK_IO_ERROR", { nospace: true, reason: "No space left on device" }),
		{ kind: "disk-error", diskFull: true, text: "No space left on device", at },
	],
	[
		qmp("BLOCK_IO_ERROR", { reason: "Input/output error" }),
		{ kind: "disk-error", diskFull: false, text: "Input/output error", at },
	],
	[qmp("STOP"), undefined],
	[qmp("SOMETHING_NEW", { guest: true }), undefined],
])("%j", (event, expected) => {
	expect(signOf(event)).toEqual(expected);
});

test("a panic keeps what the guest says of it, flat", () => {
	const info = { type: "hyper-v", arg1: 0x7e, arg2: 3 };
	expect(signOf(qmp("GUEST_PANICKED", { action: "pause", info }))).toEqual({
		kind: "panicked",
		at,
		details: { action: "pause", "info.type": "hyper-v", "info.arg1": "126", "info.arg2": "3" },
	});
});

test("what a captured QEMU says is cut, and never followed far", () => {
	const wide = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`k${i}`, i]));
	const sign = signOf(qmp("GUEST_PANICKED", { long: "x".repeat(100_000), wide, ["n".repeat(1000)]: 1 }));
	if (sign?.kind !== "panicked") throw new Error("no panic");
	expect(Object.keys(sign.details).length).toBeLessThan(60);
	expect(
		Math.max(
			...Object.entries(sign.details)
				.flat()
				.map(({ length }) => length),
		),
	).toBeLessThanOrEqual(400);
});

test("nested without end, it ends", () => {
	let nested: unknown = 1;
	for (let i = 0; i < 100_000; i++) nested = { n: nested };
	expect(() => signOf(qmp("GUEST_PANICKED", { nested }))).not.toThrow();
});

test("branching without end, it ends soon", () => {
	let branching: unknown = 1;
	for (let i = 0; i < 5; i++)
		branching = Object.fromEntries(Array.from({ length: 30 }, (_, k) => [k, branching]));
	const began = performance.now();
	signOf(qmp("GUEST_PANICKED", { branching }));
	expect(performance.now() - began).toBeLessThan(500);
});
