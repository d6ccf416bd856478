import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { run } from "./command.ts";
import { isTar, listTar, TarError, tarEnd, tarHeader, tarPadding } from "./tar.ts";
import { FileWindow, openUnknown } from "./window.ts";

let folder: string;
beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "bulkhead-tar-"));
});
afterEach(async () => await rm(folder, { recursive: true }));

const sh = async (command: string) => await run("sh", ["-euc", command], { deadlineMs: 10_000, cwd: folder });
const list = async (name: string) => {
	await using file = await openUnknown(join(folder, name));
	return await listTar(new FileWindow(file, 0, (await file.stat()).size));
};

test("what is written here, tar reads, and so do we", async () => {
	const contents = { "erp.ovf": Buffer.from("description"), "erp-disk1.vmdk": Buffer.alloc(1024, 7) };
	const parts = Object.entries(contents).flatMap(([name, content]) => [
		tarHeader(name, content.length, new Date(1e12)),
		content,
		tarPadding(content.length),
	]);
	const whole = Buffer.concat([...parts, tarEnd()]);
	expect(isTar(whole)).toBe(true);
	await writeFile(join(folder, "a.ova"), whole);
	const { stdout } = await sh("tar tvf a.ova; tar xOf a.ova erp.ovf");
	expect(stdout).toMatch(
		/^-rw-r--r-- 0\/0 +11 2001-09-09 .* erp\.ovf\n.* 1024 .* erp-disk1\.vmdk\ndescription$/,
	);
	expect(await list("a.ova")).toEqual([
		{ name: "erp.ovf", offset: 512, size: 11 },
		{ name: "erp-disk1.vmdk", offset: 1536, size: 1024 },
	]);
});

test.each(["ustar", "gnu", "pax"])("%s archives of tar: long names", async (format) => {
	const long = `${"a".repeat(90)}/${"b".repeat(90)}.vmdk`;
	await sh(`mkdir ${"a".repeat(90)}; echo hello > ${long}; tar --format=${format} -cf a.tar ${long}`);
	expect((await list("a.tar")).map(({ name, size }) => [name, size])).toEqual([[long, 6]]);
});

test("a file of more than 8 GiB", async () => {
	const size = 9 * 2 ** 30 + 2;
	await writeFile(join(folder, "b.tar"), tarHeader("large", size, new Date(0)));
	// Its bytes are a hole.
	await sh(`truncate -s ${512 + Math.ceil(size / 512) * 512 + 1024} b.tar`);
	expect(await list("b.tar")).toEqual([{ name: "large", offset: 512, size }]);
	expect((await sh("tar tvf b.tar")).stdout).toContain(` ${size} `);
});

test("of links and devices nothing is taken", async () => {
	await sh("ln -s /etc/shadow link; tar cf a.tar link; mkfifo pipe; tar cf b.tar pipe");
	await expect(list("a.tar")).rejects.toThrow(TarError);
	await expect(list("b.tar")).rejects.toThrow(/pipe, which is no plain file/);
});
