import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { run } from "../../src/host/command.ts";
import { isAlive, type ProcessIdentity } from "../../src/host/process.ts";
import { giverIn } from "../../src/network/leases/giver.ts";
import { freePort, instanceForTests, tiny, until } from "./harness.ts";

/** What the daemon does about names: starting, adopting, mending, ending. What is answered: names.test.ts. */
const bulkhead = instanceForTests();
const folder = (server: string) => bulkhead.paths.names(server);
const answerer = async (server: string): Promise<ProcessIdentity | undefined> => {
	const text = await readFile(`${folder(server)}/names.json`, "utf8").catch(() => undefined);
	const found = text === undefined ? undefined : (JSON.parse(text) as { process: ProcessIdentity }).process;
	return found && isAlive(found) ? found : undefined;
};
const list = async (server: string) => await readFile(`${folder(server)}/hosts/list`, "utf8");

test("answerers begin with the site, outlive the daemon, are mended, follow changes, and end with their servers", async () => {
	const [first, second] = [await freePort(), await freePort()];
	const site = (more: object) => ({
		name: "box",
		segments: { lab: { subnet: "10.94.0.0/24" } },
		servers: { red: tiny("10.94.0.10", first), ...more },
	});
	const blue = { ...tiny("10.94.0.11", second), allow: [{ from: "red", port: 80 }] };
	await bulkhead.apply(site({ blue }));
	for (const name of ["red", "blue"])
		await until(`names of ${name}`, async () => !!(await answerer(name)), 20_000);
	expect((await list("red")).split("\n").sort()).toEqual([
		"",
		"10.94.0.10 red.box red",
		"10.94.0.11 blue.box blue",
	]);
	expect(await list("blue")).toBe("10.94.0.11 blue.box blue\n");

	// A real guest, as it is set up by itself.
	await bulkhead.until("red", "running");
	const known = await bulkhead.type("red", "nslookup blue");
	expect(known).toMatch(/10\.94\.0\.11[\s\S]*DONE-0/);
	expect(await bulkhead.type("red", "nslookup example.com")).toMatch(/NXDOMAIN[\s\S]*DONE-1/);

	// Whoever wants to be told its address is.
	const client = "udhcpc -f -q -n -i $(ls /sys/class/net | grep -v lo) -s /run/told";
	await bulkhead.type(
		"red",
		`printf '#!/bin/sh\\necho told-$ip-$router-$dns\\n' > /run/told; chmod +x /run/told`,
	);
	expect(await bulkhead.type("red", client)).toMatch(
		/told-10\.94\.0\.10-10\.94\.0\.1-10\.94\.0\.1[\s\S]*DONE-0/,
	);
	const giver = await giverIn(bulkhead.paths.leases).process();

	const before = await answerer("red");
	await bulkhead.endDaemon("SIGKILL");
	await bulkhead.startDaemon();
	await bulkhead.until("red", "running");
	await until("names looked at", async () => !!(await answerer("blue")), 20_000);
	expect(await answerer("red")).toEqual(before);

	expect(await giverIn(bulkhead.paths.leases).process()).toEqual(giver);

	for (const one of [before, giver]) process.kill(one?.pid ?? 0, "SIGKILL");
	// One that is killed is there for a moment more.
	await until(
		"names mended",
		async () => ![before?.pid, undefined].includes((await answerer("red"))?.pid),
		20_000,
	);

	const isNew = async () =>
		![giver?.pid, undefined].includes((await giverIn(bulkhead.paths.leases).process())?.pid);
	await until("leases mended", isNew, 20_000);
	expect(await bulkhead.type("red", client)).toMatch(/told-10\.94\.0\.10-/);

	const gone = await answerer("blue");
	await bulkhead.apply(site({}));
	expect(gone && isAlive(gone)).toBe(false);
	await until("the list", async () => (await list("red")) === "10.94.0.10 red.box red\n", 20_000);
	const maps = ["nft", "list", "map", "inet", "bulkhead_names", "ports"];
	const inside = ["nsenter", `--net=/run/netns/${bulkhead.namespaceOf("box")}`, ...maps];
	const { stdout } = await run("sh", ["-c", inside.join(" ")], { deadlineMs: 10_000 });
	expect(stdout).toContain("10.94.0.10");
	expect(stdout).not.toContain("10.94.0.11");
});
