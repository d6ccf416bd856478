import { expect, test } from "vitest";
import { pssByKind, sumOf } from "./mappings.ts";

/** A mapping as the kernel tells of it, in kibibytes; lines that nobody reads are left out. */
const mapping = (head: string, rss: number, pss: number, anonymous: number) =>
	`${head}\nSize:  999999 kB\nRss:  ${rss} kB\nPss:   ${pss} kB\nAnonymous:    ${anonymous} kB\nVmFlags: rd wr mr\n`;

test("each mapping counts for what it is for, the seal's pages apart from the copies of them", () => {
	const smaps = [
		mapping("55d0-55e0 r-xp 00000000 fe:00 1234   /usr/bin/qemu-system-x86_64", 8000, 4000, 0),
		mapping("55f0-55ff rw-p 00000000 00:00 0      [heap]", 3000, 3000, 3000),
		mapping("7f00-7f10 rw-p 00000000 00:01 77  /memfd:bulkhead-seal-1 (deleted)", 50_000, 30_000, 10_000),
		mapping("7f20-7f30 rwxp 00000000 00:00 0 ", 20_000, 20_000, 20_000),
		mapping("7f40-7f50 rw-p 00000000 00:00 0 ", 500, 500, 500),
		mapping("7f60-7f70 ---p 00000000 00:00 0 ", 0, 0, 0),
	].join("");
	const pss = pssByKind(smaps);
	const KiB = 1024;
	expect(pss).toEqual({
		programs: 4000 * KiB,
		heap: 3500 * KiB,
		changed: 10_000 * KiB,
		seal: 20_000 * KiB,
		translated: 20_000 * KiB,
	});
	expect(sumOf(pss)).toBe(57_500 * KiB);
});
