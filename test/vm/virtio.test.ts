import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { stringify } from "yaml";
import type { Site } from "../../src/api/site.ts";
import { freePort, instanceForTests, patience, text, until } from "./harness.ts";
import { ownBootDisk } from "./own-boot.ts";

/** A server's system disk goes from a controller of real hardware to virtio, and back, with a guest that runs. */
const bulkhead = instanceForTests();
const folder = `/tmp/bhvm-virtio-${process.pid}`;
const file = join(folder, "site.yaml");
let port = 0;

const convert = async (...words: string[]) =>
	await bulkhead.command("convert-to-virtio", "erp", "--site", file, "--yes", ...words);

/** Where its system disk is in a new session, by the guest's own word. */
async function placeAfterRestart(): Promise<string> {
	expect(await bulkhead.command("restart", "erp", "--timeout", "0s")).toMatchObject({ code: 0 });
	await bulkhead.until("erp", "running", () => true, 3 * patience.state);
	return await text(port, "/hardware");
}

const seesDisks = async () =>
	await until(
		"the guest agent",
		async () =>
			await bulkhead.client.call("guestDisks", { server: "erp" }, null).then(
				({ disks }) => disks.length > 0,
				() => false,
			),
		patience.state,
	);

beforeAll(async () => {
	port = await freePort();
	await mkdir(folder, { recursive: true });
	const site: Site = {
		name: "moved",
		segments: { lab: { subnet: "10.97.0.0/24" } },
		servers: {
			erp: {
				...{ image: await ownBootDisk(), guest: "linux", agent: true, memory: "256MiB" },
				system: { bus: "sata" },
				network: { segment: "lab", address: "10.97.0.10" },
				publish: [{ service: "http", to: "host", listen: port }],
			},
		},
	};
	await writeFile(file, stringify(site));
	expect(await bulkhead.command("apply", file, "--yes")).toMatchObject({ code: 0 });
	await bulkhead.until("erp", "running", () => true, 3 * patience.state);
});
afterAll(async () => await rm(folder, { recursive: true, force: true }));

test(
	"the step is made when the guest sees a disk on virtio, and not before; and it is taken back",
	async () => {
		expect(await text(port, "/hardware")).toMatch(/ata\d/);
		await seesDisks();
		expect(await convert()).toMatchObject({ code: 0 });
		const early = await convert("--switch");
		expect(early).toMatchObject({ code: 1, stderr: expect.stringContaining("sees no disk on virtio") });

		expect(await placeAfterRestart()).toMatch(/ata\d/);
		await seesDisks();
		expect(await convert("--switch")).toMatchObject({ code: 0, stderr: "" });
		// The small one is there too, so that "virtio" alone would say nothing.
		expect(await placeAfterRestart()).not.toMatch(/ata\d/);
		expect(await bulkhead.show("erp")).toMatchObject({ systemBus: "virtio", restartNeeded: false });

		expect(await convert("--back")).toMatchObject({ code: 0, stderr: "" });
		expect(await placeAfterRestart()).toMatch(/ata\d/);
	},
	12 * patience.state,
);

test("without an answer of a guest agent nothing says that the driver is in", async () => {
	await bulkhead.client.call("stop", { server: "erp" }, { deadlineMs: 0 });
	await bulkhead.until("erp", "stopped");
	expect(await convert("--switch")).toMatchObject({
		code: 1,
		stderr: expect.stringMatching(/nothing says that erp has the driver .*has no session/),
	});
});
