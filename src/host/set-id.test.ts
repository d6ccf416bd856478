import { expect, test } from "vitest";
import { setIdFilter } from "./set-id.ts";

/** struct seccomp_data. */
interface Call {
	call: number;
	machine: number;
	arguments: readonly number[];
}

/** What the kernel answers, by linux/filter.h. */
function judged(filter: Buffer, { call, machine, arguments: given }: Call): number {
	const data = Buffer.alloc(64);
	data.writeUInt32LE(call, 0);
	data.writeUInt32LE(machine, 4);
	for (const [i, value] of given.entries()) data.writeBigUInt64LE(BigInt(value), 16 + 8 * i);
	let held = 0;
	for (let at = 0; at < filter.length; at += 8) {
		const [yes, no] = [filter.readUInt8(at + 2), filter.readUInt8(at + 3)];
		const k = filter.readUInt32LE(at + 4);
		const goOn = (isTrue: boolean) => {
			at += 8 * (isTrue ? yes : no);
		};
		switch (filter.readUInt16LE(at)) {
			case 0x20:
				held = data.readUInt32LE(k);
				break;
			case 0x15:
				goOn(held === k);
				break;
			case 0x35:
				goOn(held >= k);
				break;
			case 0x45:
				goOn((held & k) !== 0);
				break;
			case 0x06:
				return k;
			default:
				throw new Error("no such instruction");
		}
	}
	throw new Error("it ends without an answer");
}

const [allow, kill, forbidden, lacking] = [0x7fff_0000, 0x8000_0000, 0x0005_0001, 0x0005_0026];
const x64 = { arch: "x64", machine: 0xc000_003e };
const arm64 = { arch: "arm64", machine: 0xc000_00b7 };
/** O_WRONLY | O_CREAT; O_RDWR | O_TMPFILE of x86-64, and of arm64. */
const [creat, tmpfile, tmpfileArm] = [0o101, 0o20200002, 0o20040002];

test.each<[string, typeof x64, number, number[], number]>([
	["chmod 4755", x64, 90, [0, 0o4755], forbidden],
	["chmod 2755", x64, 90, [0, 0o2755], forbidden],
	["chmod 1777", x64, 90, [0, 0o1777], allow],
	["fchmod 6755", x64, 91, [3, 0o6755], forbidden],
	["fchmodat 4755", x64, 268, [-100 >>> 0, 0, 0o4755], forbidden],
	["fchmodat2 4755", x64, 452, [-100 >>> 0, 0, 0o4755, 0], forbidden],
	["open to make 4755", x64, 2, [0, creat, 0o4755], forbidden],
	["open to make 644", x64, 2, [0, creat, 0o644], allow],
	["open to read, with whatever is there", x64, 2, [0, 0, 0o7777], allow],
	["openat to make 4755", x64, 257, [3, 0, creat, 0o4755], forbidden],
	["openat without a name", x64, 257, [3, 0, tmpfile, 0o4755], forbidden],
	["openat to write, with whatever is there", x64, 257, [3, 0, 1, 0o7777], allow],
	["creat 4755", x64, 85, [0, 0o4755], forbidden],
	["mkdir 2755", x64, 83, [0, 0o2755], forbidden],
	["mkdirat 755", x64, 258, [3, 0, 0o755], allow],
	["mknod 4755", x64, 133, [0, 0o104755], forbidden],
	["mknodat 4755", x64, 259, [3, 0, 0o104755], forbidden],
	["openat2", x64, 437, [3], lacking],
	["io_uring_setup", x64, 425, [8], lacking],
	["read", x64, 0, [3, 0o6000, 0o6000], allow],
	["x32's chmod", x64, 0x4000_005a, [0, 0o4755], kill],
	["i386's chmod", { ...x64, machine: 0x4000_0003 }, 15, [0, 0o4755], kill],
	["openat without a name", arm64, 56, [3, 0, tmpfileArm, 0o4755], forbidden],
	["fchmod 755", arm64, 52, [3, 0o755], allow],
	["fchmodat 4755", arm64, 53, [3, 0, 0o4755], forbidden],
	["mkdirat 2755", arm64, 34, [3, 0, 0o2755], forbidden],
	["mknodat 4755", arm64, 33, [3, 0, 0o104755], forbidden],
	["arm's chmod", { ...arm64, machine: 0x4000_0028 }, 15, [0, 0o4755], kill],
])("%s: %o", (_, { arch, machine }, call, given, wanted) => {
	expect(judged(setIdFilter(arch), { call, machine, arguments: given })).toBe(wanted);
});

test("there is none for a machine that is not known", () => {
	expect(() => setIdFilter("riscv64")).toThrow(RangeError);
});
