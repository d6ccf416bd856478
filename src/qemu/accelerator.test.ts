import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { acceleratorBy, type Probed, probe } from "./accelerator.ts";

const able = "processor\t: 0\nflags\t\t: fpu vmx sse\n";
const untried: Probed = { kind: "untried", why: "no room" };

/** @param answers what becomes of one probe guest after the other */
async function chosen(cpuinfo: string, ...answers: readonly Probed[]) {
	const left = [...answers];
	let pauses = 0;
	const choice = await acceleratorBy(
		cpuinfo,
		async () => left.shift() ?? { kind: "refused", why: "tried too often" },
		async () => void pauses++,
	);
	return { ...choice, left: left.length, pauses };
}

describe("KVM is chosen", () => {
	test("where a probe guest runs", async () => {
		expect(await chosen(able, { kind: "answered" })).toMatchObject({ accelerator: "kvm", isKnown: true });
	});

	test("also where the first ones could not be tried", async () => {
		expect(await chosen(able, untried, untried, { kind: "answered" })).toMatchObject({
			...{ accelerator: "kvm", isKnown: true, pauses: 2 },
		});
	});

	test("not where QEMU says no, and that is asked once", async () => {
		expect(await chosen(able, { kind: "refused", why: "no" }, { kind: "answered" })).toEqual({
			...{ accelerator: "tcg", isKnown: true, left: 1, pauses: 0 },
			why: "the processor has virtualization, but a probe guest did not run: no",
		});
	});

	test("not where it can never be tried, and that is told apart from a no", async () => {
		expect(await chosen(able, untried, untried, untried)).toEqual({
			...{ accelerator: "tcg", isKnown: false, left: 0, pauses: 2 },
			why: "the processor has virtualization, but KVM could not be tried (3 times): no room",
		});
	});

	test("not on a processor without virtualization, where nothing is tried", async () => {
		expect(await chosen("flags : fpu sse\n", { kind: "answered" })).toMatchObject({
			...{ accelerator: "tcg", isKnown: true, left: 1 },
		});
	});
});

describe("a probe guest", () => {
	let folder: string;
	beforeEach(async () => {
		folder = await mkdtemp(join(tmpdir(), "bulkhead-probes-"));
	});
	afterEach(async () => {
		vi.unstubAllEnvs();
		await rm(folder, { recursive: true });
	});

	/** A QEMU that does this. */
	async function withQemu(script: string): Promise<void> {
		await writeFile(join(folder, "qemu-system-x86_64"), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
		vi.stubEnv("PATH", `${folder}${delimiter}${process.env.PATH}`);
	}

	test("answers where it runs, and leaves nothing", async () => {
		expect(await probe("tcg", folder, 60_000)).toEqual({ kind: "answered" });
		expect(await readdir(folder)).toEqual([]);
	});

	test.each([
		[
			"one that says no",
			"echo 'failed to initialize kvm' >&2; exit 1",
			"refused",
			/failed to initialize kvm/,
		],
		["one that ends", "exit 0", "refused", /without an answer/],
		["one that somebody kills", "kill -KILL $$", "untried", /ended with code null/],
	] as const)("%s", async (_, script, kind, why) => {
		await withQemu(script);
		expect(await probe("kvm", folder, 60_000)).toEqual({ kind, why: expect.stringMatching(why) });
		expect(await readdir(folder)).toEqual(["qemu-system-x86_64"]);
	});

	test("that takes too long was not tried", async () => {
		await withQemu("exec sleep 1000");
		expect(await probe("kvm", folder, 200)).toMatchObject({ kind: "untried" });
	});

	test("that cannot be written was not tried", async () => {
		expect(await probe("kvm", join(folder, "nowhere"), 60_000)).toMatchObject({ kind: "untried" });
	});
});
