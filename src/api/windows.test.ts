import { describe, expect, test } from "vitest";
import { type Answers, answersProblems, answersSchema, type WindowsVersion } from "./windows.ts";
import { windowsPasswordProblem } from "./windows-passwords.ts";
import { windowsTimeZone } from "./windows-time-zones.ts";

const plain = {
	computerName: "FILES1",
	edition: "Windows Server 2022 SERVERSTANDARD",
	language: "en-US",
	timeZone: "Europe/Berlin",
	administrator: { passwordFile: "/root/secret" },
};
const secret = "/root/other";
const forest = { role: "domain-controller", realm: "ad.example.com", recoveryPasswordFile: secret };
const member = { role: "member", realm: "ad.example.com", account: "joiner", passwordFile: secret };
const disk = { role: "sql-server-disk", letter: "E", label: "SQL data" };
const shares = (share: object) => ({
	roles: [{ role: "file-server", shares: [{ name: "Data", folder: "E:\\Data", ...share }] }],
});

const messages = (changes: object) =>
	answersSchema
		.safeParse({ ...plain, ...changes })
		.error?.issues.map(({ path, message }) => `${path.join(".")}: ${message}`) ?? [];

test.each([
	{},
	{ edition: 2 },
	{ keyboard: "0407:00000407", timeZone: "W. Europe Standard Time", remoteDesktop: true },
	{ language: "sr-Latn-RS", productKey: "BCDFG-HJKMN-PQRTV-WXY23-46789" },
	{ roles: [forest] },
	{
		roles: [{ ...forest, role: "further-domain-controller", account: "Administrator", passwordFile: secret }],
	},
	{ roles: [{ ...member, ou: "OU=Servers,OU=Köln,DC=ad,DC=example,DC=com" }, { role: "remote-desktop" }] },
	shares({ change: ["AD\\Domäne Benutzer"], read: ["Everyone"] }),
	shares({ name: "Größe & Co (alle) $", folder: "E:\\Ordner & 'mehr'\\$x `y`\\" }),
	{
		roles: [
			{ ...disk, disk: "sql" },
			{ role: "exchange-disk", letter: "F", label: "Postfächer" },
		],
	},
])("%j is taken", (changes) => {
	expect(messages(changes)).toEqual([]);
});

test.each([
	[
		{ computerName: "A-NAME-THAT-IS-LONG" },
		/^computerName: "A-NAME-THAT-IS-LONG" is not a computer's name: 1 to 15 letters/,
	],
	[{ computerName: "12345" }, /^computerName: .*not digits alone/],
	[{ computerName: "-A" }, /^computerName: .*no hyphen at either end/],
	[{ computerName: undefined }, /^computerName: must be a computer's name/],
	[{ edition: 0 }, /^edition: must be the name of an edition on the ISO/],
	[{ edition: "" }, /^edition: must be the name/],
	[{ language: "english" }, /^language: "english" is not a language: as in en-US/],
	[{ keyboard: "german" }, /^keyboard: "german" is not a keyboard/],
	[
		{ timeZone: "Europe/Berln" },
		/^timeZone: "Europe\/Berln" is no time zone .* did you mean "Europe\/Berlin"\?/,
	],
	[{ timeZone: "constructor" }, /^timeZone: "constructor" is no time zone/],
	[
		{ administrator: { passwordFile: "/root/x", password: "x" } },
		/there is no key "password" here; did you mean "passwordFile"\?/,
	],
	[
		{ administrator: { passwordFile: "secret" } },
		/^administrator.passwordFile: .*absolute, of a file that belongs to root/,
	],
	[{ administrator: { passwordFile: "/root/../tmp/x" } }, /^administrator.passwordFile/],
	[{ productKey: "AAAAA-BBBBB-CCCCC-DDDDD-EEEEE" }, /^productKey: .*five groups of five/],
	[{ productKey: "BCDFG-HJKMN-PQRTV-WXY23" }, /^productKey: .*five groups of five/],
	[{ roles: [{ role: "print-server" }] }, /^roles.0.role: must say one of domain-controller, further-/],
	[{ roles: [{ ...forest, realm: "example" }] }, /^roles.0.realm: a realm is a domain name of two words/],
	[
		{ roles: [{ ...forest, netbios: "A-NAME-THAT-IS-LONG" }] },
		/^roles.0.netbios: a domain's short name has 1 to 15/,
	],
	[
		{ roles: [{ ...forest, recoveryPasswordFile: undefined }] },
		/^roles.0.recoveryPasswordFile: must be the path/,
	],
	[{ roles: [{ ...member, account: "AD\\joiner" }] }, /^roles.0.account: .*without the domain's/],
	[{ roles: [{ ...member, controllers: ["dc1"] }] }, /^roles.0.controllers.0: "dc1" is not an IPv4 address/],
	[{ roles: [{ ...member, controllers: ["10.0.0.010"] }] }, /write it as 10\.0\.0\.10, without zeros/],
	[{ roles: [{ ...member, ou: "Servers" }] }, /^roles.0.ou: .*as in OU=Servers/],
	[shares({ name: 'a"b' }), /^roles.0.shares.0.name: .*at most 80 characters, none of/],
	[shares({ folder: "\\\\server\\share" }), /^roles.0.shares.0.folder: .*as in E:\\Data/],
	[shares({ folder: `E:\\${"a".repeat(190)}"` }), /^roles.0.shares.0.folder/],
	[shares({ folder: "E:\\a\\\\b" }), /^roles.0.shares.0.folder/],
	[shares({ folder: "E:\\%TEMP%" }), /^roles.0.shares.0.folder/],
	[shares({ folder: "E:\\a\\..\\b" }), /^roles.0.shares.0.folder/],
	[shares({ change: ['x"y'] }), /^roles.0.shares.0.change.0: .*as in AD\\accounting/],
	[{ roles: [{ ...disk, letter: "C" }] }, /^roles.0.letter: "C" is not a drive letter: one of D to Z/],
	[{ roles: [{ ...disk, label: "a\nb" }] }, /^roles.0.label/],
	[{ roles: [{ ...disk, label: "x".repeat(33) }] }, /^roles.0.label: .*at most 32 characters/],
	[{ roles: [{ ...disk, disk: "SQL" }] }, /^roles.0.disk: "SQL" is not the name of a data disk/],
])("%j is refused", (changes, words) => {
	expect(messages(changes)).toHaveLength(1);
	expect(messages(changes)[0]).toMatch(words);
});

describe("answers and a version of Windows", () => {
	const problems = (version: WindowsVersion, changes: object) =>
		answersProblems(version, answersSchema.parse({ ...plain, ...changes }) as Answers).map(
			({ path, message }) => `${path.join(".")}: ${message}`,
		);
	test.each([
		[
			"windows-11",
			{ roles: [forest] },
			"roles.0.role: domain-controller is a role of Windows Server, which windows-11 is not; leave it out",
		],
		[
			"windows-10",
			{ roles: [{ role: "remote-desktop" }] },
			"roles.0.role: remote-desktop is a role of Windows Server, which windows-10 is not; leave it out, and say `remoteDesktop: true`",
		],
		[
			"windows-2000",
			{ roles: [disk] },
			"roles.0.role: sql-server-disk cannot be prepared unattended in windows-2000; leave it out and do it by hand",
		],
		[
			"windows-server-2003",
			shares({}),
			"roles.0.role: file-server cannot be prepared unattended in windows-server-2003; leave it out and do it by hand",
		],
		[
			"windows-server-2022",
			{ roles: [forest, member] },
			"roles.1.role: a server is a controller or a member of one domain only; leave one of them out",
		],
		[
			"windows-server-2022",
			{ roles: [{ role: "remote-desktop" }, { role: "remote-desktop" }] },
			"roles.1.role: there are two roles remote-desktop; say it once",
		],
		[
			"windows-server-2022",
			{ roles: [disk, { ...disk, role: "exchange-disk" }] },
			"roles.1.letter: drive letter E is used by a role before it; choose another",
		],
		[
			"windows-server-2022",
			{ roles: [{ ...forest, netbios: "files1" }] },
			"roles.0.netbios: the computer and its domain are both called files1; Windows wants two names: say another one here",
		],
		[
			"windows-server-2003",
			{ roles: [{ ...disk, label: "Größe" }] },
			"roles.0.label: for windows-server-2003 it may have only ASCII letters, digits, spaces and . _ - $: its batch files cannot hold others",
		],
	] as const)("%s with %j", (version, changes, words) => {
		expect(problems(version, changes)).toEqual([words]);
	});
	test("what fits has no problems", () => {
		expect(problems("windows-server-2022", { roles: [forest, disk] })).toEqual([]);
		expect(problems("windows-server-2003", { roles: [forest, disk] })).toEqual([]);
		expect(problems("windows-7", { roles: [member] })).toEqual([]);
	});
});

test.each([
	["Europe/Berlin", "W. Europe Standard Time"],
	["Europe/Kyiv", "FLE Standard Time"],
	["Asia/Kolkata", "India Standard Time"],
	["America/New_York", "Eastern Standard Time"],
	["UTC", "UTC"],
	["Eastern Standard Time", "Eastern Standard Time"],
	["Europe/Atlantis", undefined],
	["__proto__", undefined],
])("the time zone %s is Windows's %s", (name, windows) => {
	expect(windowsTimeZone(name)).toBe(windows);
});

test("most time zones that this machine knows are Windows's too", () => {
	const names = Intl.supportedValuesOf("timeZone");
	const unknown = names.filter((name) => windowsTimeZone(name) === undefined);
	expect(unknown.length).toBeLessThan(names.length / 20);
});

test.each([
	["Sommer2024!", undefined],
	["Käse und Brot 7", undefined],
	["Short1", /^it has 6 characters; Windows wants 7 at least/],
	["alllowercaseletters", /three of these/],
	["lower case and", /three of these/],
	["Administrator1!", /holds the name Administrator/],
	["xADMINISTRATOR1!", /holds the name Administrator/],
	[" Sommer2024!", /begins or ends with a space/],
	["Sommer\t2024!", /control characters/],
	["Aa1!".repeat(32), /longer than the 127 characters/],
])("the password %j", (password, words) => {
	const problem = windowsPasswordProblem("administrator", password, { version: "windows-server-2022" });
	if (words === undefined) expect(problem).toBeUndefined();
	else expect(problem).toMatch(words);
});

describe("passwords by what they are for", () => {
	const version = "windows-server-2022";
	const role = "domain-controller";

	test.each([`Sommer24"`, "Sommer24%", "Käse und Brot 7"])(
		"%s cannot stand in an answer file of before 2008, nor of Server 2008 R2's dcpromo",
		(password) => {
			const words = /ASCII signs without/;
			for (const use of ["administrator", "recovery", "join"] as const) {
				expect(windowsPasswordProblem(use, password, { version: "windows-server-2003" })).toMatch(words);
				expect(windowsPasswordProblem(use, password, { version, role })).toBeUndefined();
			}
			const r2 = { version: "windows-server-2008-r2" } as const;
			for (const use of ["recovery", "join"] as const)
				expect(windowsPasswordProblem(use, password, { ...r2, role })).toMatch(words);
			expect(windowsPasswordProblem("administrator", password, { ...r2, role })).toBeUndefined();
			expect(windowsPasswordProblem("join", password, { ...r2, role: "member" })).toBeUndefined();
		},
	);
	test("ASCII signs can", () => {
		const old = { version: "windows-2000" } as const;
		expect(windowsPasswordProblem("administrator", "Sommer 2024!$&^", old)).toBeUndefined();
	});
	test("that of an account that is there is its domain's business", () => {
		expect(windowsPasswordProblem("join", "weak", { version, role: "member" })).toBeUndefined();
		expect(windowsPasswordProblem("recovery", "weak", { version, role })).toMatch(/4 characters/);
	});
	test("the one for restoring a directory is another than the Administrator's", () => {
		const administrator = "Sommer2024!";
		const problem = (password: string) =>
			windowsPasswordProblem("recovery", password, { version, role, administrator });
		expect(problem(administrator)).toMatch(/^it is the Administrator's password; Microsoft wants another/);
		expect(problem("Winter2024!")).toBeUndefined();
	});
});
