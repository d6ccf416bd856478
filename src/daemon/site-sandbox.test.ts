import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { ensureOutbound } from "../network/outbound/outbound.ts";
import { Sandbox } from "../network/sandbox.ts";
import { paths } from "../store/paths.ts";
import type { Context } from "./context.ts";
import { SiteSandbox } from "./site-sandbox.ts";

vi.mock("../network/outbound/outbound.ts", () => ({ ensureOutbound: vi.fn(), removeOutbound: vi.fn() }));

/** That of a site without servers, where nothing is made of it. */
async function sandboxOf() {
	const folder = await mkdtemp(join(tmpdir(), "bulkhead-sandbox-"));
	onTestFinished(async () => await rm(folder, { recursive: true }));
	const told: string[] = [];
	const files = { namespace: join(folder, "namespace"), followed: join(folder, "followed.json") };
	const own = { ...paths(folder, folder), ...files };
	const log = { error: () => {} };
	const history = { append: ({ text }: { text: string }) => told.push(text) };
	const sandbox = new SiteSandbox({ paths: own, log, history } as unknown as Context);
	for (const part of ["ensure", "permit"] as const) vi.spyOn(Sandbox.prototype, part).mockResolvedValue();
	for (const part of [sandbox.names, sandbox.leases]) vi.spyOn(part, "want").mockReturnValue();
	await sandbox.open({ name: "home" });
	return { sandbox, told };
}

test("a cable that could not be removed when the last server that needed it went is removed later, and told once", async () => {
	const { sandbox, told } = await sandboxOf();
	const ensure = vi.mocked(ensureOutbound).mockRejectedValueOnce(new Error("busy"));
	await sandbox.permit([], true);
	expect(told).toEqual([expect.stringMatching(/busy; it is tried again by itself$/)]);
	await sandbox.guard();
	expect(ensure).toHaveBeenCalledTimes(2);
	await sandbox.guard();
	expect(ensure).toHaveBeenCalledTimes(2);
	expect(told).toHaveLength(1);
});
