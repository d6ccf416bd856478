import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { instanceTag } from "../src/store/paths.ts";
import { LeftBehind, leftBehind, tellsOfRemains } from "./remains.ts";

const state = "/var/lib/bulkhead-of-a-test";
const own = `bulkhead-${instanceTag(state)}`;

/** A host's folders with these in them; `group/` ones are control groups. */
async function hostWith(...folders: string[]) {
	const root = await mkdtemp(join(tmpdir(), "bulkhead-remains-"));
	onTestFinished(async () => await rm(root, { recursive: true, force: true }));
	for (const folder of folders) {
		await mkdir(join(root, folder), { recursive: true });
		if (folder.startsWith("groups/")) await writeFile(join(root, folder, "cgroup.procs"), "4711\n");
	}
	return {
		namespaces: join(root, "namespaces"),
		run: join(root, "run"),
		groups: { cpu: { version: 2, root: join(root, "groups") } },
	} as const;
}

test("of others' things, and of a group that is empty, nothing is said", async () => {
	const at = await hostWith(
		`groups/${own}`,
		"groups/bulkhead-domain",
		"run/bulkhead",
		"namespaces/bh-office",
	);
	expect(await leftBehind(state, at)).toEqual([]);
});

test("what servers and a membership of a domain left is named", async () => {
	const groups = [`${own}/session.dc1-1`, `${own}-domain`, `${own}-domain-names`, `${own}-domain-shares`];
	const at = await hostWith(
		...groups.map((group) => `groups/${group}`),
		`run/${own}`,
		`namespaces/bh-${instanceTag(state)}-office`,
	);
	expect(await leftBehind(state, at)).toEqual([
		`bh-${instanceTag(state)}-office`,
		own,
		...groups.flatMap((group) => [`control group ${group}`, "process 4711"]),
	]);
});

test("what is left is told of, whatever else went wrong with it; an interruption alone does not tell of it", () => {
	const left = new LeftBehind("left behind: bh-1-office");
	const interrupted = new Error("interrupted by SIGINT");
	expect(tellsOfRemains(left)).toBe(true);
	expect(tellsOfRemains(new SuppressedError(new Error("no namespace"), left))).toBe(true);
	expect(tellsOfRemains(new SuppressedError(left, interrupted))).toBe(true);
	expect(tellsOfRemains(new Error("stop", { cause: left }))).toBe(true);
	expect(tellsOfRemains(new Error("aborted", { cause: interrupted }))).toBe(false);
});
