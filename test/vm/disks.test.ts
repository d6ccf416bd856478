import { beforeAll, describe, expect, test } from "vitest";
import { listIfThere } from "../../src/host/files.ts";
import { freePort, get, instanceForTests, panic, text, tiny } from "./harness.ts";

/** What a guest was told is on disk is there after its kernel has panicked in the very next moment. */
const bulkhead = instanceForTests();
const { client } = bulkhead;
const disks = [{ name: "files", size: "16MiB" }];
const ports = { keeper: 0, fleeting: 0 };
type Server = keyof typeof ports;

const query = (path: string, name: string, more = "") => `/cgi-bin/${path}?name=${name}${more}`;
const read = async (server: Server, name: string, more = "") =>
	await get(ports[server], query("read", name, more));

/** Lets the guest write files, all at once, and panic as soon as it has said that they are safe. */
async function writeAndPanic(server: Server, names: readonly string[], value: string): Promise<void> {
	const { number } = await bulkhead.session(server);
	const places = ["", "&disk=files"];
	const writes = names.flatMap((name) =>
		places.map((place) => text(ports[server], query("write", name, `&value=${value}${place}`))),
	);
	for (const answer of await Promise.all(writes)) expect(answer).toBe("ok");
	await Promise.all([panic(ports[server]), bulkhead.untilNext(server, number)]);
}

beforeAll(async () => {
	ports.keeper = await freePort();
	ports.fleeting = await freePort();
	await bulkhead.apply({
		name: "dsk",
		segments: { lab: { subnet: "10.92.0.0/24" } },
		servers: {
			keeper: tiny("10.92.0.10", ports.keeper, { system: { disk: "kept" }, data: disks }),
			fleeting: tiny("10.92.0.11", ports.fleeting, { system: { disk: "disposable" }, data: disks }),
		},
	});
	await Promise.all([bulkhead.until("keeper", "running"), bulkhead.until("fleeting", "running")]);
});

describe("disks", () => {
	test.each([1, 2, 3])("round %i: a kept system disk and a data disk lose nothing", async (round) => {
		const names = ["a", "b", "c"].map((name) => `${name}${round}`);
		await writeAndPanic("keeper", names, `v${round}`);
		for (const name of names) {
			expect(await read("keeper", name)).toMatchObject({ status: 200, body: `v${round}\n` });
			expect(await read("keeper", name, "&disk=files")).toMatchObject({ status: 200, body: `v${round}\n` });
		}
	});

	test("all of it is still there at the end", async () => {
		for (const round of [1, 2, 3]) {
			expect((await read("keeper", `a${round}`)).body).toBe(`v${round}\n`);
			expect((await read("keeper", `a${round}`, "&disk=files")).body).toBe(`v${round}\n`);
		}
	});

	test("what a session wrote to a disposable system disk goes with it; the data disk stays", async () => {
		await writeAndPanic("fleeting", ["x"], "1");
		expect(await read("fleeting", "x")).toMatchObject({ status: 404 });
		expect(await read("fleeting", "x", "&disk=files")).toMatchObject({ status: 200, body: "1\n" });
	});

	test("a server that was deleted leaves no disk; another's stay", async () => {
		await client.call("stop", { server: "keeper" }, { deadlineMs: 60_000 });
		await bulkhead.until("keeper", "stopped");
		await client.call("delete", { server: "keeper" }, { destroyDisks: true });
		expect(await listIfThere(bulkhead.paths.servers)).toEqual(["fleeting"]);
		const { disks } = bulkhead.paths.server("fleeting");
		expect(await listIfThere(disks)).toEqual(["files.qcow2", "system.qcow2"]);
		expect(await read("fleeting", "x", "&disk=files")).toMatchObject({ status: 200 });
	});
});
