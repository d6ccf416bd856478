import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { forgetOldSessions } from "./old-sessions.ts";

test("sessions that are long over are forgotten, and one that still runs is not", async () => {
	const folder = await mkdtemp(join(tmpdir(), "bulkhead-sessions-"));
	try {
		for (let number = 1; number <= 25; number++)
			await mkdir(join(folder, `${number}`, "own"), { recursive: true });
		await forgetOldSessions(folder, 25, async (number) => number === 2);
		const left = (await readdir(folder)).map(Number).sort((a, b) => a - b);
		expect(left).toEqual([2, ...Array.from({ length: 20 }, (_, i) => i + 6)]);
	} finally {
		await rm(folder, { recursive: true, force: true });
	}
});
