import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { upstreamsOfHost } from "../network/names/upstreams.ts";
import { ensureOutbound } from "../network/outbound/outbound.ts";
import { Sandbox } from "../network/sandbox.ts";
import { paths } from "../store/paths.ts";
import type { StoredServer } from "../store/servers.ts";
import type { Context } from "./context.ts";
import { SiteSandbox } from "./site-sandbox.ts";

vi.mock("../network/names/upstreams.ts");
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
	vi.mocked(upstreamsOfHost).mockResolvedValue({ usable: [], inside: [] });
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

test("that the host asks a server of the site for names is told once, where a server needs to know", async () => {
	const { sandbox, told } = await sandboxOf();
	const asks = vi.mocked(upstreamsOfHost);
	asks.mockResolvedValue({ usable: ["192.0.2.53"], inside: ["192.168.1.20"] });
	const network = { segment: "branch", address: "192.168.1.20" };
	const server = (outbound: "allow" | "deny") =>
		({
			...{ name: "dc1", site: "home", subnet: "192.168.1.0/24", subnet6: null, lan: null },
			...{ definition: { network, outbound }, installed: { services: {}, index: 1, uid: 300_000 } },
		}) as unknown as StoredServer;
	await sandbox.permit([server("deny")]);
	expect(told).toEqual([]);
	await sandbox.permit([server("allow")]);
	await sandbox.guard();
	expect(asks).toHaveBeenLastCalledWith(["192.168.1.20"]);
	expect(told).toEqual([
		"This host asks 192.168.1.20 for names, a server of the site itself: those with `outbound: allow` have their questions passed on to 192.0.2.53",
	]);
});
