import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { BulkheadError, explain } from "../api/errors.ts";
import { paths as pathsIn } from "../store/paths.ts";
import type { StoredServer } from "../store/servers.ts";
import type { Context } from "./context.ts";
import type { Groups } from "./parts/groups.ts";
import type { ServerUnit } from "./server-unit.ts";
import type { SiteSandbox } from "./site-sandbox.ts";
import { TakingOn } from "./taking-on.ts";
import { Turns } from "./turns.ts";
import { Units } from "./units.ts";

const [mail, shop, web] = ["mail", "shop", "web"].map(
	(name) => ({ name, definition: {} }) as unknown as StoredServer,
) as [StoredServer, StoredServer, StoredServer];

async function contextOf(told: string[]): Promise<Context> {
	const folder = await mkdtemp(join(tmpdir(), "bulkhead-taking-on-"));
	onTestFinished(async () => await rm(folder, { recursive: true }));
	const log = { error: () => {} };
	const history = { append: ({ text }: { text: string }) => void told.push(text) };
	return { paths: pathsIn(folder, folder), log, history } as unknown as Context;
}

/** What is asked of the units; `failing` says with what they fail. */
function unitsWith(done: string[], failing: Map<string, Error>): Units {
	return {
		expect: () => {},
		tidy: async () => void done.push("tidy"),
		setAside: (name: string, error: Error) => void done.push(`${name} aside: ${explain(error)}`),
		supervise: async (stored: StoredServer) => {
			const error = failing.get(stored.name);
			if (error) throw error;
			done.push(`${stored.name} supervised`);
			const door = { openWhenPossible: async () => void done.push(`${stored.name} opened`) };
			return {
				stored,
				door,
				record: { state: "stopped", session: null, planned: null },
			} as unknown as ServerUnit;
		},
	} as unknown as Units;
}

test("whatever keeps one server from being supervised keeps no other from it, and is tried again when it may pass", async () => {
	const done: string[] = [];
	const failing = new Map([
		["mail", new Error("nft: timed out")],
		["shop", new BulkheadError("bad-input", "its record is damaged")],
	]);
	const taking = new TakingOn(await contextOf([]), unitsWith(done, failing), 1);
	await taking.takeOn([mail, shop, web]);
	expect(done.splice(0)).toEqual([
		"mail aside: it is tried again and again: nft: timed out",
		"shop aside: its record is damaged",
		"web supervised",
		"web opened",
		"tidy",
	]);
	failing.clear();
	await taking.goOn(new Turns(), new AbortController().signal);
	expect(done).toEqual(["mail supervised", "mail opened", "tidy"]);
});

test("what the daemon before left undone, and cannot be done, is told of a server that is supervised", async () => {
	const done: string[] = [];
	const told: string[] = [];
	const context = await contextOf(told);
	const inTheWay = new Error("EIO: i/o error, read");
	const broken = {
		...context,
		paths: {
			server: () => {
				throw inTheWay;
			},
		},
	} as unknown as Context;
	await new TakingOn(broken, unitsWith(done, new Map())).takeOn([web]);
	expect(done).toEqual(["web supervised", "web opened", "tidy"]);
	expect(told[0]).toBe(`web is supervised, and something of before is left undone: ${inTheWay.message}`);
});

test("a server that is tried again is let through once, and told of once for each reason", async () => {
	const told: string[] = [];
	const permitted: string[][] = [];
	const reasons = ["nft: timed out", "nft: timed out", "nft: no"];
	const sandbox = {
		permit: async (servers: readonly StoredServer[]) => {
			permitted.push(servers.map(({ name }) => name));
			throw new Error(reasons[permitted.length - 1]);
		},
		tidy: async () => {},
	} as unknown as SiteSandbox;
	const context = await contextOf(told);
	const taking = new TakingOn(context, new Units(context, {} as unknown as Groups, sandbox));
	for (const _ of reasons) await taking.takeOn([web]);
	expect(permitted).toEqual([["web"], ["web"], ["web"]]);
	const words = "web is not supervised, and nothing of it is touched: it is tried again and again";
	expect(told).toEqual([`${words}: nft: timed out`, `${words}: nft: no`]);
});
