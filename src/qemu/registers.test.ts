import { expect, test } from "vitest";
import { readProcessors } from "./registers.ts";

const processor = (flags: string, halted: 0 | 1) => `
CPU#0
RAX=0000000000000000 RBX=ffffffff82a1a940 RCX=0000000000000000 RDX=0000000000000000
RSI=0000000000000083 RDI=0000000000000000 RBP=ffffffff82a03e38 RSP=ffffffff82a03e38
R8 =ffff88800f81ee40 R9 =0000000000000200 R10=0000000000000000 R11=0000000000000000
RIP=ffffffff81abc123 RFL=${flags} [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=${halted}
ES =0000 0000000000000000 ffffffff 00c00000
`;

test("an idle processor waits with interrupts on", () => {
	expect(readProcessors(processor("00000246", 1))).toEqual([
		{ at: "ffffffff81abc123", interruptsOn: true, halted: true },
	]);
});

test("a processor that spins with interrupts off", () => {
	expect(readProcessors(processor("00000046", 0))).toEqual([
		{ at: "ffffffff81abc123", interruptsOn: false, halted: false },
	]);
});

test("every processor is read", () => {
	const text = processor("00000046", 0) + processor("00000246", 1).replace("CPU#0", "CPU#1");
	expect(readProcessors(text).map(({ interruptsOn }) => interruptsOn)).toEqual([false, true]);
});

test("a processor in 32-bit mode", () => {
	const text = "EIP=0000fff0 EFL=00000002 [-------] CPL=0 II=0 A20=1 SMM=0 HLT=0";
	expect(readProcessors(text)).toEqual([{ at: "0000fff0", interruptsOn: false, halted: false }]);
});

test.each(["", "no such command", "RIP=zz RFL=00000046 HLT=0", "RIP=00 RFL=00000046"])(
	"%j holds none",
	(text) => {
		expect(readProcessors(text)).toEqual([]);
	},
);

test("a text made to be slow is not", () => {
	const began = performance.now();
	readProcessors("RIP=00 RFL=00 ".repeat(20_000));
	expect(performance.now() - began).toBeLessThan(1000);
});
