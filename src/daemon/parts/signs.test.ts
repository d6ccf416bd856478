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
	const info = { type: "s390", core: 3, reason: "disabled-wait" };
	expect(signOf(qmp("GUEST_PANICKED", { action: "pause", info }))).toEqual({
		kind: "panicked",
		at,
		details: { action: "pause", "info.type": "s390", "info.core": "3", "info.reason": "disabled-wait" },
	});
});

test("of a Windows its stop code and parameters are read, to the last digit", () => {
	const info = { type: "hyper-v", arg1: 0xd1, arg2: 18446735291779260016n, arg3: 2, arg4: 0, arg5: -1 };
	expect(signOf(qmp("GUEST_PANICKED", { action: "pause", info }))).toEqual({
		kind: "panicked",
		at,
		details: { action: "pause" },
		stop: { code: 0xd1, parameters: ["0xFFFFF8034C2A1E70", "0x2", "0x0", "0xFFFFFFFFFFFFFFFF"] },
	});
});

test("a guest that will dump its memory by itself has panicked, too", () => {
	expect(signOf(qmp("GUEST_CRASHLOADED", { action: "run" }))).toEqual({
		...{ kind: "panicked", at, details: { action: "run" } },
	});
});

test.each<[string, object]>([
	["a Linux", { arg1: 0, arg2: 0x8100_0006_0100_0000n, arg3: 1, arg4: 0, arg5: 0 }],
	["a Linux with an error code", { arg1: 2, arg2: 0x8100_0006_0100_0000n, arg3: 1, arg4: 0, arg5: 0 }],
	["one that leaves a message", { arg1: 0, arg2: 0, arg3: 0, arg4: 0x7000, arg5: 300 }],
	["a code of more than 32 bits", { arg1: 0x1_0000_00d1, arg2: 0, arg3: 0, arg4: 0, arg5: 0 }],
	["too few numbers", { arg1: 0xd1, arg2: 0 }],
	["words", { arg1: "0xd1", arg2: "", arg3: "", arg4: "", arg5: "" }],
	["broken numbers", { arg1: 209.5, arg2: 0, arg3: 0, arg4: 0, arg5: 1e300 }],
])("no stop code is made up from %s", (_, args) => {
	const sign = signOf(qmp("GUEST_PANICKED", { info: { type: "hyper-v", ...args } }));
	expect(sign).toMatchObject({ kind: "panicked", details: { "info.type": "hyper-v" } });
	expect(sign).not.toHaveProperty("stop");
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

test.each([
	["SHUTDOWN", "reason"],
	["RESET", "reason"],
	["BLOCK_IO_ERROR", "text"],
])(
	"words of a captured QEMU in its %s that throw when they are read, or have no end, are unknown",
	(event, key) => {
		const deep = JSON.parse("[".repeat(100_000) + "]".repeat(100_000));
		for (const reason of [{ toString: 0, valueOf: 0 }, deep])
			expect(signOf(qmp(event, { reason }))).toMatchObject({ [key]: "unknown" });
	},
);
