/** What one processor of a guest was doing when it was looked at. */
export interface ProcessorSample {
	/** Maskable interrupts are taken. */
	interruptsOn: boolean;
	/** It waits in HLT. */
	halted: boolean;
	/** Instruction pointer, hexadecimal. */
	at: string;
}

/**
 * Reads QEMU's `info registers -a`. With interrupts off on every processor for seconds, nothing in a guest can
 * run any more but what spins there (or, halted, nothing at all): the proof of a hang.
 * Bit 9 of RFLAGS is IF: Intel SDM volume 1, section 3.4.3.
 */
export function readProcessors(text: string): ProcessorSample[] {
	return [...text.matchAll(/[RE]IP=([0-9a-f]{1,16}) [RE]FL=([0-9a-f]{1,16})[^\n]{0,100}?HLT=([01])/g)].map(
		(match) => ({
			at: match[1] ?? "",
			interruptsOn: (Number.parseInt(match[2] ?? "0", 16) & 0x200) !== 0,
			halted: match[3] === "1",
		}),
	);
}
