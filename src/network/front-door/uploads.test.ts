import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { doorPlan } from "../testing/door-plan.ts";
import { doorCommand, takesUploads, uploadConfigOf } from "./uploads.ts";

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

test("uploads are taken in once that process has been seen, by all services", () => {
	const stat = (...servers: [status: string, check: string][]) =>
		[
			"# pxname,svname,status,check_status",
			...servers.map(([status, check], i) => `upload.http.${i},whole,${status},${check}`),
			"upload.http.0,inner,no check,",
			"repeat.http.0,guest,DOWN,L4CON",
		].join("\n");
	expect(takesUploads(stat(["UP", "L4OK"], ["UP 1/1", "L4OK"]))).toBe(true);
	expect(takesUploads(stat())).toBe(true);
	for (const wrong of [
		["UP", "INI"],
		["DOWN", "L4CON"],
		["UP", "* L4CON"],
	] as [string, string][])
		expect(takesUploads(stat(["UP", "L4OK"], wrong))).toBe(false);
});
