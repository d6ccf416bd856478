import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { run } from "../../host/command.ts";
import { localTime } from "./time-zone.ts";

const host = Intl.DateTimeFormat().resolvedOptions().timeZone;

/** What the clock of a machine shows, as if it were UTC; QEMU builds the machine and does not start it. */
async function clockOf(env: { TZ: string }): Promise<number> {
	const commands = [
		{ execute: "qmp_capabilities" },
		{ execute: "qom-get", arguments: { path: "/machine", property: "rtc-time" } },
		{ execute: "quit" },
	];
	const { stdout } = await run(
		"qemu-system-x86_64",
		["-S", "-nodefaults", "-display", "none", "-rtc", "base=localtime,clock=host", "-qmp", "stdio"],
		{ deadlineMs: 20_000, env, input: commands.map((command) => JSON.stringify(command)).join("\n") },
	);
	const line = stdout.split("\n").find((one) => one.includes("tm_year")) ?? "{}";
	const { tm_year, tm_mon, tm_mday, tm_hour, tm_min, tm_sec } = JSON.parse(line).return;
	return Date.UTC(1900 + tm_year, tm_mon, tm_mday, tm_hour, tm_min, tm_sec);
}

function wallClock(timeZone: string): number {
	const format = new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "medium" });
	return Date.parse(`${format.format(new Date()).replace(" ", "T")}Z`);
}

test.each([
	["India Standard Time", "Asia/Kolkata"],
	["America/St_Johns", "America/St_Johns"],
	["Tokyo Standard Time", "Asia/Tokyo"],
	[undefined, host],
])("the clock of a guest in %s shows the time of %s", async (wanted, zone) => {
	const { environment, missing } = localTime(wanted);
	expect(missing).toBe(false);
	expect(Math.abs((await clockOf(environment)) - wallClock(zone))).toBeLessThan(120_000);
});

test("a host that has only today's names of time zones is asked for those", async () => {
	const folder = await mkdtemp(join(tmpdir(), "bulkhead-zones-"));
	try {
		expect(localTime("India Standard Time", folder)).toEqual({
			environment: { TZ: `:${host}` },
			missing: true,
		});
		await mkdir(join(folder, "Asia"));
		await writeFile(join(folder, "Asia/Kolkata"), "");
		for (const name of ["India Standard Time", "Asia/Calcutta", "Asia/Kolkata"])
			expect(localTime(name, folder), name).toEqual({
				environment: { TZ: ":Asia/Kolkata" },
				missing: false,
			});
	} finally {
		await rm(folder, { recursive: true });
	}
});
