import { closeSync, openSync, rmSync, writeFileSync } from "node:fs";

/**
 * A filter of system calls with which nothing can be made, or become, a program that runs as its owner or as its group,
 * whoever starts it: what systemd has as RestrictSUIDSGID=. A program that has some of root's rights and writes to folders
 * of the host could leave one there, and a user of the host would be root by it.
 */

type Rule =
	/** Argument with a file's mode. */
	| { call: number; mode: number }
	/** Its mode counts only where these flags say that a file is made. */
	| { call: number; flags: number; mode: number }
	/** What it is told is in memory, where no filter can look: as in a kernel that does not have it. */
	| { call: number; lacking: true };

/** From openat2 on numbers are the same everywhere; io_uring would open files past a filter. */
const everywhere: Rule[] = [
	{ call: 437, lacking: true }, // openat2
	{ call: 425, lacking: true }, // io_uring_setup
	{ call: 452, mode: 2 }, // fchmodat2
];

/** AUDIT_ARCH_… of linux/audit.h, and the numbers of asm/unistd.h. */
const machines: Record<string, { audit: number; rules: Rule[] }> = {
	x64: {
		audit: 0xc000_003e,
		rules: [
			{ call: 257, flags: 2, mode: 3 }, // openat
			{ call: 2, flags: 1, mode: 2 }, // open
			{ call: 85, mode: 1 }, // creat
			{ call: 90, mode: 1 }, // chmod
			{ call: 91, mode: 1 }, // fchmod
			{ call: 268, mode: 2 }, // fchmodat
			{ call: 83, mode: 1 }, // mkdir
			{ call: 258, mode: 2 }, // mkdirat
			{ call: 133, mode: 1 }, // mknod
			{ call: 259, mode: 2 }, // mknodat
			...everywhere,
		],
	},
	arm64: {
		audit: 0xc000_00b7,
		rules: [
			{ call: 56, flags: 2, mode: 3 }, // openat
			{ call: 52, mode: 1 }, // fchmod
			{ call: 53, mode: 2 }, // fchmodat
			{ call: 34, mode: 2 }, // mkdirat
			{ call: 33, mode: 2 }, // mknodat
			...everywhere,
		],
	},
};

/** S_ISUID | S_ISGID; O_CREAT | __O_TMPFILE; __X32_SYSCALL_BIT. */
const [setId, makes, x32] = [0o6000, 0x40_0040, 0x4000_0000];
/** seccomp(2). */
const [allow, kill, fail] = [0x7fff_0000, 0x8000_0000, 0x0005_0000];
const [EPERM, ENOSYS] = [1, 38];

/** linux/filter.h: an instruction's code, how many to skip when it is true and when not, and its number. */
type Instruction = readonly [code: number, yes: number, no: number, k: number];
const load = (at: number): Instruction => [0x20, 0, 0, at];
const answer = (what: number): Instruction => [0x06, 0, 0, what];
const equal = (to: number, yes: number, no: number): Instruction => [0x15, yes, no, to];
const atLeast = (what: number, yes: number, no: number): Instruction => [0x35, yes, no, what];
const anyOf = (bits: number, yes: number, no: number): Instruction => [0x45, yes, no, bits];

/** struct seccomp_data of linux/seccomp.h; the lower half of an argument comes first on both machines. */
const [callAt, machineAt] = [0, 4];
const argument = (i: number) => 16 + 8 * i;

/** @param arch as process.arch. @returns struct sock_filter[]. @throws RangeError for a machine that is not known */
export function setIdFilter(arch: string): Buffer {
	const machine = machines[arch];
	if (!machine) throw new RangeError(`no filter of system calls for ${arch}`);
	const { audit, rules } = machine;
	const all = [
		...[load(machineAt), equal(audit, 1, 0), answer(kill)],
		...[load(callAt), ...(arch === "x64" ? [atLeast(x32, 0, 1), answer(kill)] : [])],
		...rules.flatMap((rule) => {
			const body = bodyOf(rule);
			return [equal(rule.call, 0, body.length), ...body];
		}),
		answer(allow),
	];
	const bytes = Buffer.alloc(all.length * 8);
	for (const [i, [code, yes, no, k]] of all.entries()) {
		bytes.writeUInt16LE(code, i * 8);
		bytes.writeUInt8(yes, i * 8 + 2);
		bytes.writeUInt8(no, i * 8 + 3);
		bytes.writeUInt32LE(k, i * 8 + 4);
	}
	return bytes;
}

function bodyOf(rule: Rule): Instruction[] {
	if ("lacking" in rule) return [answer(fail + ENOSYS)];
	const judged = [load(argument(rule.mode)), anyOf(setId, 0, 1), answer(fail + EPERM), answer(allow)];
	if (!("flags" in rule)) return judged;
	return [load(argument(rule.flags)), anyOf(makes, 1, 0), answer(allow), ...judged];
}

/**
 * Has bubblewrap start a program with that filter.
 * @param beside a file that may be made for a moment
 * @param start gets the words for bubblewrap, and the descriptor that it is to have as its first one after those for its
 * status
 */
export async function withoutSetId<T>(
	beside: string,
	start: (words: readonly string[], descriptor: number) => Promise<T>,
): Promise<T> {
	writeFileSync(beside, setIdFilter(process.arch), { mode: 0o600 });
	const descriptor = openSync(beside, "r");
	rmSync(beside);
	try {
		return await start(["--seccomp", "4"], descriptor);
	} finally {
		closeSync(descriptor);
	}
}
