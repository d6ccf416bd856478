import { createSocket } from "node:dgram";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import type { ServerDefinition } from "../api/site.ts";
import type { StoredServer } from "../store/servers.ts";
import { hostProblems } from "./host-checks.ts";

const problemsOf = async (definition: ServerDefinition) =>
	await hostProblems({ name: "home", servers: { book: definition } }, []);

test.each([
	["none", {}],
	["another one", { data: [{ name: "files", size: "1GiB" }] }],
])(
	"a server with %s of the data disks that its template needs is told which, and what to add",
	async (_, disks) => {
		expect(await problemsOf({ template: "debian-ledger", ...disks })).toEqual([
			{
				path: ["servers", "book", "data"],
				message: "template debian-ledger needs a data disk named ledger; add `{ name: ledger, size: 1GiB }`",
			},
		]);
	},
);

test("a server with the data disks that its template needs is right", async () => {
	expect(await problemsOf({ template: "debian-ledger", data: [{ name: "ledger", size: "2GiB" }] })).toEqual(
		[],
	);
});

test("of a template that is not there, nothing else is told", async () => {
	expect(await problemsOf({ template: "no-such" })).toMatchObject([
		{ path: ["servers", "book", "template"] },
	]);
});

test("a service of the catalogue needs no port; one that nobody knows does, and a near one is named", async () => {
	const network = { segment: "office", address: "10.77.0.10" };
	const published = async (...publish: NonNullable<ServerDefinition["publish"]>) =>
		await problemsOf({ template: "tiny", network, publish });
	expect(await published({ service: "postgresql", to: "host", listen: 18432 })).toEqual([]);
	expect(await published({ service: "postgresq", to: "host" })).toEqual([
		{
			path: ["servers", "book", "publish", 0],
			message:
				'neither its template nor the catalogue (`bulkhead services`) knows a service postgresq; did you mean "postgresql"? else give the `port:` inside the server',
		},
	]);
	expect(await published({ service: "own", port: 4711, to: "host", listen: 18433 })).toEqual([]);
});

test("at the server's own address one service is published once, by whatever words; several ports are several", async () => {
	const network = { segment: "office", address: "10.77.0.10" };
	const published = async (...publish: Omit<NonNullable<ServerDefinition["publish"]>[number], "to">[]) => {
		const all = publish.map((entry) => ({ to: "host" as const, through: "address" as const, ...entry }));
		return await problemsOf({ template: "tiny", network, publish: all });
	};
	const app = { service: "app", port: 9000 };
	expect(await published(app, { ...app, port: 9001 }, { ...app, service: "tool" })).toEqual([]);
	expect(await published(app, { ...app, protocol: "udp" }, { service: "everything" })).toEqual([]);
	expect(await published(app, { ...app, through: "front-door", listen: 18434 })).toEqual([]);
	expect(await published({ service: "ssh" }, { service: "ssh", port: 22, health: "none" })).toEqual([
		{
			path: ["servers", "book", "publish", 1, "service"],
			message:
				"ssh on TCP port 22 is already published at book's own address by publish.0; leave one of them out",
		},
	]);
	expect(await published(app, { ...app, protocol: "http" })).toHaveLength(1);
	expect(await published({ service: "everything" }, { service: "everything" })).toHaveLength(1);
});

test("so it is with what is allowed", async () => {
	const allowed = async (service: string, port?: number) =>
		await problemsOf({ template: "tiny", allow: [{ from: "web", service, ...(port ? { port } : {}) }] });
	expect(await allowed("postgresql")).toEqual([]);
	expect(await allowed("own", 4711)).toEqual([]);
	expect(await allowed("postgresq")).toMatchObject([
		{
			path: ["servers", "book", "allow", 0],
			message: expect.stringContaining('a service postgresq; did you mean "postgresql"?'),
		},
	]);
});

describe("a port that is published to this host only, and is to be to the LAN", () => {
	const network = { segment: "office", address: "10.77.0.10" };
	const of = (entry: { port: number; protocol: "tcp" | "udp"; listen: number }) => {
		const definition = (to: "host" | "lan"): ServerDefinition => ({
			...{ template: "tiny", network, publish: [{ service: "own", to, ...entry }] },
		});
		const installed = { services: {}, systemDisk: "disposable", agent: true };
		const stored = { name: "book", definition: definition("host"), installed, lan: null };
		const present = [{ stored: stored as unknown as StoredServer, inUse: false }];
		return async (to: "host" | "lan") =>
			await hostProblems({ name: "home", servers: { book: definition(to) } }, present);
	};

	test("is no problem as long as only our own front door has it", async () => {
		const own = createServer().listen(0, "127.0.0.1");
		onTestFinished(() => void own.close());
		await once(own, "listening");
		const { port: listen } = own.address() as AddressInfo;
		const problems = of({ port: 4711, protocol: "tcp", listen });
		expect(await problems("lan")).toEqual([]);
		const other = createServer().listen(listen, "127.0.0.2");
		onTestFinished(() => void other.close());
		await once(other, "listening");
		expect(await problems("host")).toEqual([]);
		expect(await problems("lan")).toMatchObject([
			{ code: "port-in-use", path: ["servers", "book", "publish", 0, "listen"] },
		]);
	});

	test("is taken from no other program by UDP", async () => {
		const other = createSocket("udp4");
		onTestFinished(() => void other.close());
		other.bind(0, "127.0.0.2");
		await once(other, "listening");
		const problems = of({ port: 4711, protocol: "udp", listen: other.address().port });
		expect(await problems("host")).toEqual([]);
		expect(await problems("lan")).toMatchObject([{ code: "port-in-use" }]);
	});
});
