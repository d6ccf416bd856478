import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ControlGroup, detectGroupSupport } from "./cgroup.ts";

let unified: string;
beforeEach(async () => {
	unified = await mkdtemp(join(tmpdir(), "bulkhead-cgroup-"));
});
afterEach(async () => await rm(unified, { recursive: true }));

const offer = async (controllers: string) =>
	await writeFile(join(unified, "cgroup.controllers"), controllers);
const other = `proc /proc proc rw,nosuid 0 0
/dev/sda1 / ext4 rw,memory,cpu 0 0
`;
const v1 = `cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,relatime,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/pids cgroup rw,relatime,pids 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,xattr,name=systemd 0 0
`;
const v2 = () => `cgroup2 ${unified} cgroup2 rw,nosuid,nsdelegate 0 0\n`;

test("version 2 has all", async () => {
	await offer("cpuset cpu io memory hugetlb pids rdma\n");
	const own = { version: 2, root: unified };
	expect(detectGroupSupport(other + v2())).toEqual({ memory: own, cpu: own, pids: own });
});

test("version 1 has a hierarchy each", () => {
	expect(detectGroupSupport(other + v1)).toEqual({
		memory: { version: 1, root: "/sys/fs/cgroup/memory" },
		cpu: { version: 1, root: "/sys/fs/cgroup/cpu,cpuacct" },
		pids: { version: 1, root: "/sys/fs/cgroup/pids" },
	});
});

test("hybrid: version 2 is there and offers nothing", async () => {
	await offer("\n");
	for (const mounts of [v1 + v2(), v2() + v1])
		expect(detectGroupSupport(mounts).memory).toEqual({ version: 1, root: "/sys/fs/cgroup/memory" });
});

test("hybrid: what version 2 offers is taken from there, whatever comes first", async () => {
	await offer("pids\n");
	for (const mounts of [v1 + v2(), v2() + v1]) {
		expect(detectGroupSupport(mounts).pids).toEqual({ version: 2, root: unified });
		expect(detectGroupSupport(mounts).cpu?.version).toBe(1);
	}
});

test("the first of two hierarchies with the same controller counts", () => {
	const again = "cgroup /mnt/memory cgroup rw,memory 0 0\n";
	expect(detectGroupSupport(v1 + again).memory?.root).toBe("/sys/fs/cgroup/memory");
});

test.each(["", other, "garbage\n\n"])("none where there are none", (mounts) => {
	expect(detectGroupSupport(mounts)).toEqual({});
});

test("a version 2 that cannot be read offers nothing", () => {
	expect(detectGroupSupport("cgroup2 /nonexistent cgroup2 rw 0 0\n")).toEqual({});
});

test("this host can be looked at", () => {
	expect(() => detectGroupSupport()).not.toThrow();
});

test("an idle group becomes an ordinary one again, with its share", async () => {
	const support = { cpu: { version: 2, root: unified } } as const;
	const limits = { memoryBytes: 2 ** 20, cpus: 1, tasks: 10 };
	const read = async (file: string) => await readFile(join(unified, "group", file), "utf8");
	await ControlGroup.create("group", { ...limits, cpuWeight: "idle" }, support);
	expect([await read("cpu.idle"), await read("cpu.weight")]).toEqual(["1", "1"]);
	await ControlGroup.create("group", { ...limits, cpuWeight: 50 }, support);
	expect([await read("cpu.idle"), await read("cpu.weight")]).toEqual(["0", "50"]);
});

test("the share of a group is changed alone, and of one that is gone not at all", async () => {
	const support = { cpu: { version: 2, root: unified } } as const;
	await ControlGroup.create("group", { memoryBytes: 2 ** 20, cpus: 1, tasks: 10, cpuWeight: 50 }, support);
	await writeFile(join(unified, "group", "cpu.max"), "untouched");
	await ControlGroup.weigh("group", 5, support);
	const read = async (file: string) => await readFile(join(unified, "group", file), "utf8");
	expect([await read("cpu.weight"), await read("cpu.max")]).toEqual(["5", "untouched"]);
	await ControlGroup.weigh("gone", 5, support);
	await expect(readdir(unified)).resolves.not.toContain("gone");
	await ControlGroup.weigh("group", 5, {});
});
