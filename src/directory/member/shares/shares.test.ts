import type { NetworkInterfaceInfo } from "node:os";
import { describe, expect, test } from "vitest";
import { addShareBody } from "../../../api/share.ts";
import type { Member } from "../plan.ts";
import { chooseListen } from "./addresses.ts";
import { refuseMounts, refuseOwnElsewhere, refusePath } from "./folder.ts";
import { mountPoints, placeOf } from "./mounts.ts";
import { nameAt, type Share, seenAt, smbConf } from "./plan.ts";
import { shareView } from "./smbd.ts";

const member: Member = {
	...{ realm: "AD.EXAMPLE.COM", workgroup: "AD", name: "HOST1", controllers: ["10.77.0.10"] },
	...{ joinedAt: 0, logins: false, allowed: null, admins: null, dns: null },
};
const staff = { name: "AD\\staff", sid: "S-1-5-21-1-2-3-1105" };
const docs: Share = {
	...{ name: "Docs 2027", path: "/srv/docs", groups: [staff], everybody: false, readOnly: false },
	mark: "6f4c2a3e-8d1b-4f7a-9c3e-2b1a0d9e8f7c",
};
const linesOf = (shares: Share[], addresses = ["10.0.0.5"]) =>
	smbConf(member, { shares }, addresses).split("\n");

describe("what smbd is told", () => {
	const lines = linesOf([docs, { ...docs, name: "plans", readOnly: true }], ["10.0.0.5", "fd00::5"]);

	test("lets nobody in but those groups, and serves nothing but those folders", () => {
		expect(lines.filter((line) => line.startsWith("["))).toEqual(["[global]", "[Docs 2027]", "[plans]"]);
		const rest = lines.slice(lines.indexOf("[Docs 2027]"));
		expect(rest).toEqual([
			...["[Docs 2027]", `path = /shares/at/${docs.mark}-docs 2027`, "read only = no", "guest ok = no"],
			"valid users = S-1-5-21-1-2-3-1105",
			...["[plans]", `path = /shares/at/${docs.mark}-plans`, "read only = yes", "guest ok = no"],
			...["valid users = S-1-5-21-1-2-3-1105", ""],
		]);
	});

	test("is strict with whoever comes, and listens where it was asked to", () => {
		for (const line of [
			"interfaces = 10.0.0.5 fd00::5",
			"bind interfaces only = yes",
			"security = ads",
			"server min protocol = SMB2_10",
			"server signing = mandatory",
			"ntlm auth = ntlmv2-only",
			"restrict anonymous = 2",
			"map to guest = never",
			"load printers = no",
			"usershare max shares = 0",
			"follow symlinks = no",
			"ea support = no",
			"kerberos method = secrets only",
		])
			expect(lines).toContain(line);
	});

	test("names no file of the host", () => {
		const paths = lines.flatMap((line) => line.match(/= (\/\S+)/)?.[1] ?? []);
		expect(paths.filter((path) => !path.startsWith("/shares/"))).toEqual(["/dev/null"]);
		// A client's name would be one that the client chooses.
		expect(lines.join("\n")).not.toContain("%");
	});

	test.each<[string, Partial<Share>]>([
		["a name that ends the line", { name: "docs\npath = /" }],
		["a name that ends its section", { name: "docs]" }],
		["a name that stands for something", { name: "%S" }],
		["a group that is none", { groups: [{ ...staff, sid: "S-1-5-32-544" }] }],
		["a group with more behind it", { groups: [{ ...staff, sid: "S-1-5-21-1-2-3-1105 root" }] }],
		["a group with a line behind it", { groups: [{ ...staff, sid: "S-1-5-21-1-2-3-1105\nguest ok = yes" }] }],
	])("cannot be made of %s", (_, wrong) => {
		expect(() => linesOf([{ ...docs, ...wrong }])).toThrow(RangeError);
	});

	test("cannot be made of an address that is none", () => {
		expect(() => linesOf([docs], ["10.0.0.5\ninclude = /etc/passwd"])).toThrow(RangeError);
	});

	test("is the same place for names that Windows takes for one", () => {
		expect(seenAt({ ...docs, name: "DOCS" })).toBe(seenAt({ ...docs, name: "docs" }));
		expect(nameAt(seenAt(docs))).toBe("docs 2027");
	});
});

test("smbd sees what is its own, the secrets and winbindd's sockets, and no more of the membership", () => {
	const words = shareView("/state/domain", ["smbd"]);
	const shown = words.flatMap((word, i) =>
		/^--(ro-)?bind(-try)?$/.test(word) ? [`${word.slice(2)} ${words[i + 1]} as ${words[i + 2]}`] : [],
	);
	expect(
		shown.filter((line) => line.includes("/state/domain/") && !line.includes("/state/domain/shares/")),
	).toEqual([
		"bind /state/domain/private/secrets.tdb as /shares/private/secrets.tdb",
		"ro-bind /state/domain/state/winbindd_privileged as /domain/state/winbindd_privileged",
		"ro-bind /state/domain/run/winbindd as /run/samba/winbindd",
		"bind-try /state/domain/sockets as /run/samba/winbindd",
	]);
	const kept = words.flatMap((word, i) => (word === "--cap-add" ? [words[i + 1]] : []));
	for (const mighty of [
		"CAP_SYS_ADMIN",
		"CAP_SYS_PTRACE",
		"CAP_NET_ADMIN",
		"CAP_MKNOD",
		"CAP_DAC_READ_SEARCH",
	])
		expect(kept).not.toContain(mighty);
});

describe("a share's name", () => {
	const messages = (changes: object) =>
		addShareBody
			.safeParse({ name: "docs", path: "/srv/docs", ...changes })
			.error?.issues.map(({ path, message }) => `${path.join(".")}: ${message}`) ?? [];

	test.each(["docs", "Plans 2027", "a", "x_y-z.1", "a".repeat(64)])("%j is one", (name) => {
		expect(messages({ name })).toEqual([]);
	});

	test.each([
		...[
			"",
			" docs",
			"docs ",
			"docs.",
			".",
			"..",
			"a/b",
			"a\\b",
			"a]b",
			"[a",
			"a\nb",
			"%S",
			"a;b",
			"a#b",
			"a=b",
		],
		...["docs$", "Bücher", "a".repeat(65), "-a"],
	])("%j is none", (name) => {
		expect(messages({ name })[0]).toMatch(/^name: a share's name has 1 to 64/);
	});

	test.each(["global", "Globals", "glo bal", "Homes", "home s", "PRINTERS", "sysvol"])(
		"%s is taken",
		(name) => {
			expect(messages({ name })[0]).toMatch(/^name: this name means something else/);
		},
	);

	test("is of users of groups that have a name, at addresses that are some", () => {
		expect(messages({ groups: ["AD\\staff"] })[0]).toMatch(/^groups.0: a name has/);
		expect(messages({ listen: ["eth0"] })[0]).toMatch(/^listen.0: an IPv4 or IPv6 address/);
	});
});

describe("a path", () => {
	const own = ["/var/lib/bulkhead", "/data/bulkhead"];
	test.each(["/srv/docs", "/home/shared", "/data/docs", "/srv/with space [1]%"])(
		"%s can be shared",
		(path) => {
			refusePath(path, own, []);
		},
	);

	test.each([
		["srv/docs", /is not the whole path/],
		["/srv/../etc", /is not the whole path/],
		["/srv/docs/", /is not the whole path/],
		["/srv/a\nb", /control characters/],
		["/", /is not shared as a whole/],
		["/home", /is not shared as a whole/],
		["/srv", /is not shared as a whole; make a folder of its own in it, as \/srv\/documents/],
		["/etc", /\/etc is the system's own/],
		["/etc/samba", /\/etc is the system's own/],
		["/proc/1/root", /\/proc is the system's own/],
		["/var/lib/bulkhead/servers/dc1/disks", /is the system's own/],
		["/data", /\/data\/bulkhead is Bulkhead's own/],
		["/data/bulkhead/servers", /\/data\/bulkhead is Bulkhead's own/],
		["/srv/docs", /is shared as Docs 2027 already/],
		["/srv/docs/inner", /is shared as Docs 2027 already/],
	])("%j cannot", (path, why) => {
		expect(() => refusePath(path, own, [docs])).toThrow(why);
	});

	test("with something mounted in it cannot", () => {
		const mounts = "36 35 98:0 / / rw - ext4 x rw\n37 36 98:1 / /srv/the\\040docs/disk rw - ext4 y rw\n";
		expect(mountPoints(mounts)).toEqual(["/", "/srv/the docs/disk"]);
		expect(() => refuseMounts("/srv/the docs", mounts)).toThrow(/\/srv\/the docs\/disk is mounted in it/);
		refuseMounts("/srv/the docs/disk", mounts);
		refuseMounts("/srv/the", mounts);
	});
});

describe("a folder that is somewhere else as well", () => {
	const mounts = [
		"36 1 8:1 / / rw - ext4 /dev/sda1 rw",
		"37 36 8:2 / /var rw - ext4 /dev/sda2 rw",
		"38 36 8:2 /lib/bulkhead/servers /srv/servers rw - ext4 /dev/sda2 rw",
		"39 36 8:2 / /srv/whole rw - ext4 /dev/sda2 rw",
		"40 36 8:2 /lib/other /srv/other rw - ext4 /dev/sda2 rw",
		"41 36 8:3 / /srv/other/disk rw - ext4 /dev/sda3 rw",
		"",
	].join("\n");
	const own = ["/var/lib/bulkhead"];

	test("is found where it is", () => {
		expect(placeOf("/var/lib/bulkhead", mounts)).toEqual({ device: "8:2", path: "/lib/bulkhead" });
		expect(placeOf("/srv/servers/dc1", mounts)).toEqual({ device: "8:2", path: "/lib/bulkhead/servers/dc1" });
		expect(placeOf("/srv/others", mounts)).toEqual({ device: "8:1", path: "/srv/others" });
		expect(placeOf("/", mounts)).toEqual({ device: "8:1", path: "/" });
	});

	test.each([
		"/srv/servers",
		"/srv/servers/dc1",
		"/srv/whole",
		"/srv/whole/lib",
		"/srv/whole/lib/bulkhead/x",
	])("is refused as Bulkhead's own: %s", (path) => {
		expect(() => refuseOwnElsewhere(path, own, mounts)).toThrow(/what \/var\/lib\/bulkhead has/);
	});

	test.each(["/srv/other", "/srv/other/disk", "/srv/docs", "/srv/whole/lib/bulkhead2"])(
		"may be another: %s",
		(path) => {
			refuseOwnElsewhere(path, own, mounts);
		},
	);
});

describe("where shares are served", () => {
	const at = (address: string, internal = false): NetworkInterfaceInfo => {
		const common = { address, netmask: "", mac: "", internal, cidr: null };
		return address.includes(":") ? { ...common, family: "IPv6", scopeid: 0 } : { ...common, family: "IPv4" };
	};
	const host = {
		lo: [at("127.0.0.1", true)],
		eth0: [at("192.168.1.5"), at("fe80::1"), at("2001:db8::5"), at("fd12::5")],
		wan: [at("203.0.113.7")],
		"bhup-office": [at("10.0.0.1")],
		docker0: [at("172.17.0.1")],
	};

	test("is at private addresses of networks that users are in, by itself", () => {
		expect(chooseListen(null, host)).toEqual(["192.168.1.5", "fd12::5"]);
	});

	test("is where it was asked for, each once", () => {
		expect(chooseListen(["203.0.113.7", "127.0.0.1", "203.0.113.7"], host)).toEqual([
			"203.0.113.7",
			"127.0.0.1",
		]);
	});

	test("is nowhere without an address, or at another's", () => {
		expect(() => chooseListen(null, { wan: host.wan })).toThrow(
			/say with --listen .* \(it has 203.0.113.7\)/,
		);
		expect(() => chooseListen(["192.168.1.6"], host)).toThrow(
			/192.168.1.6 is no address of this host \(it has 192/,
		);
		expect(() => chooseListen(["0.0.0.0"], host)).toThrow(/0.0.0.0 is no address of this host/);
	});
});
