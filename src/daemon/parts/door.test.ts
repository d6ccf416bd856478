import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Sandbox } from "../../network/sandbox.ts";
import { paths as pathsOf } from "../../store/paths.ts";
import type { StoredServer } from "../../store/servers.ts";
import type { Context } from "../context.ts";
import { HostDoor } from "./door.ts";

let folder: string;
let busy: Server;
let said: string[];
let door: HostDoor;
beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "bulkhead-door-"));
	busy = createServer().listen(0, "127.0.0.1");
	await once(busy, "listening");
	said = [];
	const { port } = busy.address() as AddressInfo;
	const context = {
		paths: { ...pathsOf(folder, folder), door: () => join(folder, "door") },
		groups: {},
		log: { warn() {} },
		history: { append: ({ text }: { text: string }) => said.push(text) },
	} as unknown as Context;
	const server = {
		name: "x",
		definition: {
			network: { segment: "s", address: "10.1.1.2" },
			publish: [{ service: "http", port: 80, to: "host", listen: port }],
		},
		installed: { services: {}, uid: 1_900_000_950, index: 9 },
	} as unknown as StoredServer;
	door = new HostDoor(server, context, { namespace: "nope" } as Sandbox);
});
afterEach(async () => {
	await door.close();
	busy.close();
	await rm(folder, { recursive: true });
});

test("a door that is closed while it is being opened is not tried again", async () => {
	const opening = door.openWhenPossible();
	await door.close();
	await opening;
	await delay(2500);
	expect(said).toEqual([]);
});

test("what keeps it from being opened is told once, however often it is looked at", async () => {
	await door.openWhenPossible();
	for (let i = 0; i < 5; i++) await door.check();
	expect(said).toEqual([expect.stringMatching(/^The front door of x cannot be opened yet: /)]);
});
