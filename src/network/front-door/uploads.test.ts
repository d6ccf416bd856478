import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { doorPlan } from "../testing/door-plan.ts";
import { doorCommand, uploadConfigOf } from "./uploads.ts";

const tcpOnly = { ...doorPlan, services: doorPlan.services.filter(({ protocol }) => protocol === "tcp") };

test("the configuration of what takes uploads in", async () => {
	await expect(uploadConfigOf(doorPlan)).toMatchFileSnapshot("../goldens/uploads.cfg");
});

test("services that are not HTTP have no uploads, and their front door is one process", () => {
	expect(tcpOnly.services).toHaveLength(1);
	expect(uploadConfigOf(tcpOnly)).toBeUndefined();
	expect(doorCommand(1, false, ["-q"])).toEqual(["haproxy", "-f", "/haproxy.cfg", "-db", "-q"]);
});

test("what takes uploads in keeps none of the listening sockets, ends with the front door, and is begun again", () => {
	const [shell, , begin, , again, once, ...door] = doorCommand(12, true, []);
	expect(shell).toBe("bash");
	expect(again).toContain("fd <= 15");
	for (const script of [begin, again]) expect(script).toContain("--pdeathsig KILL");
	for (const script of [again, once]) expect(script).toMatch(/^\[ "\$PPID" = "\$1" \] \|\| exit; /);
	expect(door).toEqual(["haproxy", "-f", "/haproxy.cfg", "-db"]);
});

test.skipIf(!existsSync("/usr/sbin/haproxy"))("HAProxy takes it without a warning", () => {
	const folder = mkdtempSync(join(tmpdir(), "bulkhead-uploads-"));
	try {
		writeFileSync(join(folder, "uploads.cfg"), uploadConfigOf(doorPlan) ?? "");
		const args = ["-c", "-f", join(folder, "uploads.cfg")];
		const { status, stdout, stderr } = spawnSync("/usr/sbin/haproxy", args, {
			encoding: "utf8",
			timeout: 10_000,
		});
		expect(`${stdout}${stderr}`).toBe("Configuration file is valid\n");
		expect(status).toBe(0);
	} finally {
		rmSync(folder, { recursive: true });
	}
});
