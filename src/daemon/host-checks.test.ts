import { expect, test } from "vitest";
import type { ServerDefinition } from "../api/site.ts";
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
