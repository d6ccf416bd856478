import { expect, test } from "vitest";
import type { ServerDefinition, Site } from "../api/site.ts";
import type { StoredServer } from "../store/servers.ts";
import { planOf, refusedChanges, subnetsOf } from "./plan.ts";

const definition: ServerDefinition = {
	template: "tiny",
	memory: "128MiB",
	data: [{ name: "books", size: "1GiB" }],
	network: { segment: "office", address: "10.77.0.10" },
	publish: [{ service: "http", to: "host", listen: 8080 }],
};
const installed: StoredServer["installed"] = {
	index: 1,
	uid: 1_900_000_002,
	uuid: "00000000-0000-4000-8000-000000000001",
	source: "template tiny 0123abcd",
	boot: { kind: "disk" },
	agent: true,
	memoryBytes: 2 ** 27,
	cpus: 1,
	systemDisk: "disposable",
	systemBytes: 2 ** 26,
	guest: "linux",
	domainDisk: null,
	services: {},
};
const web: StoredServer = {
	...{
		name: "web",
		site: "home",
		subnet: "10.77.0.0/24",
		subnet6: null,
		lan: null,
		ejected: [],
		filled: [],
		domain: null,
	},
	...{ definition, installed },
};

function site(servers: Record<string, ServerDefinition>, more: Partial<Site> = {}): Site {
	return { name: "home", segments: { office: { subnet: "10.77.0.0/24" } }, servers, ...more };
}
const change = (after: Partial<ServerDefinition>) =>
	planOf(site({ web: { ...definition, ...after } }), [web]).changes[0];

test("a new server is created", () => {
	const { changes, destructive } = planOf(site({ web: { template: "tiny", cpus: 2 } }), []);
	expect(changes).toEqual([
		{
			server: "web",
			kind: "create",
			differences: ["template: tiny", "cpus: 2"],
			destroys: [],
			left: null,
			restartNeeded: false,
		},
	]);
	expect(destructive).toBe(false);
});

test("servers are made after those that they come after, and a change of that takes effect at once", () => {
	const mail: ServerDefinition = { template: "tiny", after: ["dc1", "web"] };
	const { changes } = planOf(site({ mail, dc1: { template: "tiny" }, web: definition }), [web]);
	expect(changes.map(({ server, kind }) => `${kind} ${server}`)).toEqual([
		...["create dc1", "same web", "create mail"],
	]);
	expect(change({ after: ["dc1"] })).toMatchObject({
		differences: ["after[0]: (not set) → dc1"],
		restartNeeded: false,
	});
});

test("the same definition is the same, in whatever order its keys stand", () => {
	const turned = Object.fromEntries(Object.entries(definition).reverse());
	expect(planOf(site({ web: turned }), [web]).changes[0]).toMatchObject({ kind: "same", differences: [] });
});

test("a server that is not in the file any more is deleted, with its disks and all else that is kept of it", () => {
	const { changes, destructive } = planOf(site({}), [web]);
	const disks = ["system disk", "data disk books (1GiB)"];
	const rest = ["incidents with evidence and dumps", "history of traffic"];
	expect(changes[0]).toMatchObject({ kind: "delete", destroys: [...disks, ...rest] });
	const sealed = { ...web, definition: { ...definition, recovery: { mode: "warm" } } } as const;
	expect(planOf(site({}), [sealed]).changes[0]?.destroys).toEqual([...disks, "seal", ...rest]);
	expect(destructive).toBe(true);
});

test("of a controller that is deleted is told what stays of it to the others, and only where one stays", () => {
	const domain = (origin: "made" | "found") => ({
		...{ realm: "AD.EXAMPLE.COM", workgroup: "AD", controllers: ["dc1", "dc2", "gone"], madeOn: [], origin },
	});
	const left = (origin: "made" | "found", ...staying: string[]) => {
		const both = ["dc1", "dc2"].map((name) => ({ ...web, name, domain: domain(origin) }));
		const servers = Object.fromEntries(staying.map((name) => [name, definition]));
		return planOf(site(servers), [...both, web]).changes.map((one) => one.left);
	};
	expect(left("made", "web", "dc1")).toEqual([
		...[null, null],
		"dc2 stays a controller of AD.EXAMPLE.COM to dc1, and to the domain's clients. When it is gone for good, from a machine with Debian's samba and samba-dsdb-modules that finds the domain's names: samba-tool domain demote --remove-other-dead-server=dc2 -H ldap://dc1.ad.example.com -U Administrator",
	]);
	expect(left("found", "web", "dc2")[2]).toMatch(
		/^dc1 stays .* to dc2, .* delete it on dc2 with .*own tools/,
	);
	expect(left("made", "web")).toEqual([null, null, null]);
});

test.each<[string, Partial<ServerDefinition>, string[], boolean]>([
	["memory", { memory: "1GiB" }, ["memory: 128MiB → 1GiB"], true],
	["processors", { cpus: 4 }, ["cpus: (not set) → 4"], true],
	[
		"what is published",
		{ publish: [] },
		[
			"publish[http].service: http → (not set)",
			"publish[http].to: host → (not set)",
			"publish[http].listen: 8080 → (not set)",
		],
		false,
	],
	[
		"what is rehearsed",
		{ publish: [{ service: "http", to: "host", listen: 8080, rehearse: [] }] },
		["publish[http].rehearse: (not set) → (none)"],
		false,
	],
	[
		"a service that is published twice",
		{
			publish: [
				{ service: "http", to: "host", listen: 8080 },
				{ service: "http", to: "lan", listen: 80 },
			],
		},
		[
			"publish[http 2].service: (not set) → http",
			"publish[http 2].to: (not set) → lan",
			"publish[http 2].listen: (not set) → 80",
		],
		false,
	],
	["the recovery", { recovery: { silence: "30s" } }, ["recovery.silence: (not set) → 30s"], false],
	["the start", { start: "manual" }, ["start: (not set) → manual"], false],
	[
		"its address",
		{ network: { segment: "office", address: "10.77.0.11" } },
		["network.address: 10.77.0.10 → 10.77.0.11"],
		true,
	],
])("a change of %s says what, and whether a restart is needed", (_, after, differences, restartNeeded) => {
	expect(change(after)).toMatchObject({ kind: "change", differences, restartNeeded, destroys: [] });
});

test("a data disk that goes is destroyed, a new one is not", () => {
	expect(change({ data: [{ name: "other", size: "1GiB" }] })?.destroys).toEqual(["data disk books (1GiB)"]);
	expect(
		change({
			data: [
				{ name: "other", size: "1GiB" },
				{ name: "books", size: "1GiB" },
			],
		})?.destroys,
	).toEqual([]);
});

test("another subnet under the same name is a change", () => {
	const moved = site({ web: definition }, { segments: { office: { subnet: "10.77.0.0/23" } } });
	expect(planOf(moved, [web]).changes[0]).toMatchObject({
		kind: "change",
		differences: ["subnet: 10.77.0.0/24 → 10.77.0.0/23"],
		restartNeeded: true,
	});
});

test("IPv6 of its segment is a change of a server that has an address of it, and of no other", () => {
	const segments = { office: { subnet: "10.77.0.0/24", subnet6: "fd00:77::/64" } };
	expect(planOf(site({ web: definition }, { segments }), [web]).changes[0]?.kind).toBe("same");
	const network = { segment: "office", address: "10.77.0.10", address6: "fd00:77::10" };
	expect(planOf(site({ web: { ...definition, network } }, { segments }), [web]).changes[0]).toMatchObject({
		differences: ["network.address6: (not set) → fd00:77::10", "subnet6: (none) → fd00:77::/64"],
		restartNeeded: true,
	});
});

test("what servers allow each other takes effect at once", () => {
	expect(change({ allow: [{ from: "till", service: "http" }] })).toMatchObject({
		kind: "change",
		restartNeeded: false,
	});
	const open = site({}, { segments: { office: { subnet: "10.77.0.0/24", allow: "all" } } });
	expect(planOf(open, [], site({})).segments).toEqual(["~ office 10.77.0.0/24 → 10.77.0.0/24, allow all"]);
});

test("a name that every object of JavaScript's has something by is a name as any other", () => {
	const gone = { ...web, name: "constructor" };
	expect(refusedChanges(site({}), [gone])).toEqual([]);
	const more = { segments: { constructor: { subnet: "10.1.0.0/24" } } };
	expect(planOf(site({}, more), [], site({}, { segments: {} })).segments).toEqual([
		"+ constructor 10.1.0.0/24",
	]);
	expect(subnetsOf({ network: { segment: "constructor", address: "10.1.0.10" } }, site({}))).toEqual({
		...{ subnet: null, subnet6: null, lan: null },
	});
});

test("what becomes of segments is told, and is part of the fingerprint", () => {
	const before = site(
		{},
		{ segments: { lab: { subnet: "10.1.0.0/24" }, office: { subnet: "10.77.0.0/25" } } },
	);
	const after = site(
		{},
		{ segments: { dmz: { subnet: "10.2.0.0/24" }, office: { subnet: "10.77.0.0/24" } } },
	);
	const { segments, fingerprint } = planOf(after, [], before);
	expect(segments).toEqual([
		"+ dmz 10.2.0.0/24",
		"- lab 10.1.0.0/24",
		"~ office 10.77.0.0/25 → 10.77.0.0/24",
	]);
	expect(planOf(after, [], after).segments).toEqual([]);
	expect(planOf(after, [], after).fingerprint).not.toBe(fingerprint);
	expect(planOf({ name: "home" }, [], before).segments).toHaveLength(2);
});

test("the fingerprint changes with the site and with what is there", () => {
	const prints = [
		planOf(site({ web: definition }), [web]),
		planOf(site({ web: definition }), []),
		planOf(site({ web: { ...definition, cpus: 2 } }), [web]),
	].map(({ fingerprint }) => fingerprint);
	expect(new Set(prints).size).toBe(3);
	expect(planOf(site({ web: definition }), [web]).fingerprint).toBe(prints[0]);
});

const refused = (after: Partial<ServerDefinition>, more: Partial<Site> = {}) =>
	refusedChanges(site({ web: { ...definition, ...after } }, more), [web]).map(
		({ path, message }) => `${path.join(".").replaceAll(/\.(\d+)/g, "[$1]")}: ${message}`,
	);

test("nothing is refused of what can be done", () => {
	expect(refused({})).toEqual([]);
	expect(refused({ memory: "1GiB", data: [] })).toEqual([]);
	expect(refused({ data: [{ name: "books", size: "1024MiB" }] })).toEqual([]);
	expect(refused({ system: { size: "64MiB" } })).toEqual([]);
	expect(refusedChanges(site({}), [web])).toEqual([]);
});

test.each<[string, Partial<ServerDefinition>, RegExp]>([
	[
		"another template",
		{ template: "debian-web" },
		/^servers\.web\.template: cannot be changed; it would be another server/,
	],
	["an image for the template", { image: "/x.qcow2" }, /^servers\.web\.image: cannot be changed/],
	[
		"a kept system disk",
		{ system: { disk: "kept" } },
		/^servers\.web\.system\.disk: is disposable and cannot be changed/,
	],
	[
		"a smaller data disk",
		{ data: [{ name: "books", size: "512MiB" }] },
		/^servers\.web\.data\[0\]\.size: is 1GiB and cannot be changed to 512MiB; grow it by hand/,
	],
	[
		"a larger system disk than the template's, which the server was made with",
		{ system: { size: "20GiB" } },
		/^servers\.web\.system\.size: is 64MiB and cannot be changed to 20GiB; grow it by hand/,
	],
])("%s is refused, with what to do", (_, after, expected) => {
	expect(refused(after)).toEqual([expect.stringMatching(expected)]);
});

test("another site's name is refused", () => {
	expect(refused({}, { name: "work" })).toEqual([expect.stringMatching(/^name: this daemon runs site home/)]);
});

test("another site's name is refused also by a file that names no server of this one, and told once", () => {
	const why = [expect.objectContaining({ path: ["name"], message: expect.stringMatching(/runs site home/) })];
	const mail = { ...web, name: "mail" };
	const work = { name: "work" };
	expect(refusedChanges(site({}, work), [web, mail])).toEqual(why);
	expect(refusedChanges(site({ shop: definition }, work), [web, mail])).toEqual(why);
	expect(refusedChanges(site({ web: definition, mail: definition }, work), [web, mail])).toEqual(why);
	expect(refusedChanges(site({ shop: definition }, work), [])).toEqual([]);
	expect(refusedChanges(site({}), [web, mail])).toEqual([]);
});

test("a controller that has a domain keeps its addresses; one that awaits it may be given others", () => {
	const domain = {
		realm: "AD.EXAMPLE.COM",
		workgroup: "AD",
		controllers: ["web"],
		madeOn: [],
		origin: "made" as const,
	};
	const network = { segment: "office", address: "10.77.0.11", address6: "fd00:77::11" };
	const wanted = site({ web: { ...definition, network } });
	const found = refusedChanges(wanted, [{ ...web, domain }]);
	expect(found.map(({ path }) => path.join("."))).toEqual([
		...["servers.web.network.address", "servers.web.network.address6"],
	]);
	expect(found[0]?.message).toMatch(/^is 10\.77\.0\.10 in the DNS of AD\.EXAMPLE\.COM, .*put it back$/);
	expect(refusedChanges(wanted, [web])).toEqual([]);
	expect(refusedChanges(site({ web: definition }), [{ ...web, domain }])).toEqual([]);
});

const answers = {
	computerName: "W",
	edition: 1,
	language: "en-US",
	timeZone: "Etc/UTC",
	administrator: { passwordFile: "/root/w" },
};
const windows: ServerDefinition = {
	guest: "windows-server-2022",
	install: { iso: "/srv/w.iso", answers },
	system: { size: "1GiB" },
};
const installing: StoredServer = {
	...web,
	definition: windows,
	installed: { ...installed, guest: "windows-server-2022", systemDisk: "kept", systemBytes: 2 ** 30 },
};
const refusedOfWindows = (stored: StoredServer, after: Partial<ServerDefinition>) =>
	refusedChanges(site({ web: { ...windows, ...after } }), [stored]).map(
		({ path, message }) => `${path.join(".")}: ${message}`,
	);

test("what an installation is told is told once, and its guest stays until it is over", () => {
	const iso = "/srv/w.iso";
	expect(
		refusedOfWindows(installing, { install: { iso, answers: { ...answers, computerName: "V" } } }),
	).toEqual([expect.stringMatching(/^servers\.web\.install\.answers: are told once/)]);
	const plain = { ...installing, definition: { ...windows, install: { iso } } };
	expect(refusedOfWindows(plain, {})).toEqual([expect.stringMatching(/install\.answers: are told once/)]);
	expect(refusedOfWindows(installing, { install: { iso } })).toEqual([
		expect.stringMatching(/install\.answers: cannot be left out while it is being installed/),
	]);
	expect(refusedOfWindows(installing, { guest: "windows-server-2003" })).toEqual([
		expect.stringMatching(/servers\.web\.guest: cannot be changed while it is being installed/),
	]);
	const done = { ...installing, ejected: [iso, "answers"] };
	expect(refusedOfWindows(done, { install: { iso } })).toEqual([]);
	expect(refusedOfWindows(done, { guest: "windows-server-2025" })).toEqual([]);
});

test("hardware that is another one then is told, when it is not named", () => {
	const old: ServerDefinition = {
		image: "/srv/old.qcow2",
		guest: "windows-server-2003",
		data: [{ name: "books", size: "1GiB" }],
		network: { segment: "office", address: "10.77.0.10" },
	};
	const stored = { ...web, definition: old, installed: { ...installed, guest: "other" as const } };
	const differences = (after: Partial<ServerDefinition>) =>
		planOf(site({ web: { ...old, ...after } }), [stored]).changes[0]?.differences;
	expect(differences({ guest: "linux" })).toEqual([
		"guest: windows-server-2003 → linux",
		"machine: pc → q35 (as is usual then)",
		"clock: localtime → utc (as is usual then)",
		"system.bus: ide → virtio (as is usual then)",
		"data[books].bus: ide → virtio (as is usual then)",
		"network.card: e1000 → virtio (as is usual then)",
	]);
	const kept = {
		machine: "pc",
		system: { bus: "ide" },
		data: [{ name: "books", size: "1GiB", bus: "ide" }],
	} as const;
	expect(differences({ guest: "linux", ...kept, data: [...kept.data] })).toEqual([
		"guest: windows-server-2003 → linux",
		"data[books].bus: (not set) → ide",
		"machine: (not set) → pc",
		"system.bus: (not set) → ide",
		"clock: localtime → utc (as is usual then)",
		"network.card: e1000 → virtio (as is usual then)",
	]);
	expect(differences({ cpus: 2 })).toEqual(["cpus: (not set) → 2"]);
});

test("a Windows whose answers are taken out of the site file keeps its time zone only when that is said", () => {
	const answers = {
		computerName: "FILES1",
		edition: 1,
		language: "de-DE",
		timeZone: "Europe/Berlin",
		administrator: { passwordFile: "/srv/secret" },
	};
	const old: ServerDefinition = {
		guest: "windows-server-2022",
		install: { iso: "/srv/windows.iso", answers },
		system: { size: "60GiB" },
	};
	const stored = {
		...web,
		ejected: ["answers"],
		definition: old,
		installed: { ...installed, guest: "other" as const },
	};
	const zones = (after: Partial<ServerDefinition>) =>
		planOf(site({ web: { ...old, install: { iso: "/srv/windows.iso" }, ...after } }), [
			stored,
		]).changes[0]?.differences.filter((line) => line.startsWith("timeZone"));
	expect(zones({})).toEqual(["timeZone: Europe/Berlin → this host's (as is usual then)"]);
	expect(zones({ timeZone: "Europe/Berlin" })).toEqual(["timeZone: (not set) → Europe/Berlin"]);
});
