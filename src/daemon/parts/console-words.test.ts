import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { consoleWords, plainLines } from "./console-words.ts";

test("lines of a console are plain, whatever a guest writes", () => {
	const text = "\x1b[2J\x1b[31mone\x1b[0m\r\n\n  two\x00\x07 \r\x1b]0;title\x07three\u202e\n";
	expect(plainLines(text)).toEqual(["one", "two", "three"]);
});

test("the last of them are told, in one line that is not long", async () => {
	const folder = await mkdtemp(join(tmpdir(), "bulkhead-console-"));
	try {
		const path = join(folder, "console.log");
		expect(await consoleWords(path)).toBe("");
		await writeFile(path, "\r\n\x1b[0m");
		expect(await consoleWords(path)).toBe("");
		await writeFile(path, `${"x".repeat(9000)}\nfirst\nsecond\nthird\n`);
		expect(await consoleWords(path)).toBe("; its console ends with: first / second / third");
		await writeFile(path, `${"y".repeat(9000)}\n`);
		expect((await consoleWords(path)).length).toBeLessThan(450);
		const link = join(folder, "link");
		await symlink("/etc/hostname", link);
		expect(await consoleWords(link)).toBe("");
	} finally {
		await rm(folder, { recursive: true });
	}
});
