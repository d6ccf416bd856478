import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { answersProblems, type WindowsVersion } from "../../../api/windows.ts";
import { batchFiles } from "../batch.ts";
import { parseXml } from "../iso/xml.ts";
import { secretsFile, settingsFile } from "../settings.ts";
import {
	answers,
	answersFor,
	installation,
	nasty,
	newVersions,
	oldVersions,
	passwords,
	plainWith,
} from "../testing/samples.ts";
import { type Firmware, windowsFacts } from "../versions.ts";
import { answerFile, unattend } from "./answer-file.ts";
import { answerFileProblems } from "./validate.ts";
import { type Element, element, xmlFile } from "./xml.ts";

/**
 * What Windows is told, held by goldens: `UPDATE=1` writes them anew, and a difference is a change of what is installed.
 * Nothing here was run in a Windows: docs/windows.md.
 */
const goldens = join(import.meta.dirname, "../goldens");
const scratch = mkdtempSync(join(tmpdir(), "bulkhead-answers-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function hold(name: string, text: string): void {
	const file = join(goldens, name);
	const kept = text.replaceAll("\r\n", "\n");
	if (process.env.UPDATE) writeFileSync(file, kept);
	expect(kept).toBe(readFileSync(file, "utf8"));
}

/** What libxml2 makes of a text. @returns its standard output */
function xmllint(text: string, ...words: string[]): string {
	const file = join(scratch, "file.xml");
	writeFileSync(file, text);
	const { status, stdout, stderr } = spawnSync("xmllint", ["--nonet", ...words, file], { encoding: "utf8" });
	expect(stderr).toBe("");
	expect(status).toBe(0);
	return stdout;
}

const scenarios = Object.keys(answers);
const fits = (version: WindowsVersion, scenario: string) =>
	answersProblems(version, answersFor(scenario)).length === 0;
const fileOf = (version: WindowsVersion, scenario: string, firmware?: Firmware) => {
	return answerFile(installation(version, answersFor(scenario), firmware));
};

describe.each(newVersions)("%s", (version) => {
	const { firmware } = windowsFacts[version];
	test.each(firmware)("plain, %s", (one) => {
		hold(`${version}-${one}.xml`, fileOf(version, "plain", one));
	});
	test("a member", () => {
		hold(`${version}-member.xml`, fileOf(version, "member"));
	});
	test.each(scenarios.filter((scenario) => fits(version, scenario)))("%s is well-formed", (scenario) => {
		xmllint(fileOf(version, scenario), "--noout");
		xmllint(settingsFile(installation(version, answersFor(scenario))), "--noout");
	});
	test("what is no domain's business differs in the scripts' settings alone", () => {
		expect(fileOf(version, "file-server")).toBe(fileOf(version, "plain"));
		expect(fileOf(version, "remote-desktop")).toBe(fileOf(version, "plain"));
	});
	test("the passwords come out as they went in", () => {
		const values = xmllint(
			fileOf(version, "plain"),
			"--xpath",
			"//*[local-name()='AutoLogon' or local-name()='UserAccounts']//*[local-name()='Value']/text()",
		)
			.trim()
			.split("\n")
			.map((value) => Buffer.from(value, "base64").toString("utf16le"));
		expect(values).toEqual([
			`${passwords.administrator}Password`,
			`${passwords.administrator}AdministratorPassword`,
		]);
	});
	test("no password stands there as it is, but the one that Windows takes in no other way", () => {
		const text = fileOf(version, "member");
		expect(text).not.toContain("Adm1n");
		expect(text.match(/J0in/g)).toHaveLength(1);
		expect(
			xmllint(
				text,
				"--xpath",
				"string(//*[local-name()='Credentials']/*[local-name()='Password'])",
			).trimEnd(),
		).toBe(passwords.join);
	});
});

describe("who logs on by himself", () => {
	const logonOf = (version: WindowsVersion, language: string) =>
		xmllint(
			answerFile(installation(version, plainWith({ language }))),
			"--xpath",
			"string(//*[local-name()='AutoLogon']/*[local-name()='Username'])",
		).trimEnd();
	test("a French Windows 10", () => {
		const french = plainWith({ language: "fr-FR", keyboard: "fr-FR", edition: "Windows 10 Pro" });
		hold("windows-10-french.xml", answerFile(installation("windows-10", french)));
	});
	test.each(["es-ES", "fi-FI", "fr-FR", "hu-HU", "pt-BR", "ru-RU", "sv-SE", "de-DE"])(
		"in a client in %s it is the Administrator, by the name that enables the account",
		(language) => {
			for (const version of ["windows-7", "windows-10", "windows-11"] as const)
				expect(logonOf(version, language)).toBe("Administrator");
		},
	);
	test("in a server it is the account by its own name", () => {
		expect(logonOf("windows-server-2022", "fr-FR")).toBe("Administrateur");
		expect(logonOf("windows-server-2022", "de-DE")).toBe("Administrator");
	});
});

describe.each(oldVersions)("%s", (version) => {
	const possible = scenarios.filter((scenario) => fits(version, scenario));
	test.each(possible)("%s", (scenario) => {
		const one = installation(version, answersFor(scenario));
		const parts = Object.entries({ "WINNT.SIF": fileOf(version, scenario), ...batchFiles(one) });
		hold(
			`${version}-${scenario}.txt`,
			parts
				.filter(([name]) => scenario === "plain" || name !== "START.CMD")
				.map(([name, text]) => `==> ${name}\n${text}`)
				.join("\n"),
		);
	});
	test("knows languages and time zones by numbers", () => {
		const told = (changes: object) => answerFile(installation(version, plainWith(changes)));
		expect(told({})).toMatch(/TimeZone=110\r\n[\s\S]*Language=00000409\r\n {4}InputLocale=0407:00000407\r\n/);
		expect(() => told({ language: "is-IS" })).toThrow(/answers.language: the number of is-IS/);
		expect(() => told({ timeZone: "Asia/Pyongyang" })).toThrow(
			/answers.timeZone: this Windows does not know/,
		);
	});
});

test.each(scenarios)("the scripts' settings for %s", (scenario) => {
	hold(`settings-${scenario}.xml`, settingsFile(installation("windows-server-2022", answersFor(scenario))));
});

test("the scripts' secrets come out as they went in, and are those that have a use", () => {
	const secrets = (scenario: string) => {
		const text = secretsFile(answersFor(scenario), passwords);
		if (text === undefined) return undefined;
		expect(text).not.toMatch(/[Rr]ec0very-|J0in|Adm1n/);
		const { children } = parseXml(text.replace(/^<\?.*\?>/, "").trim());
		return Object.fromEntries(
			children.map(({ name, text: value }) => [name, Buffer.from(value, "base64").toString("utf16le")]),
		);
	};
	expect(secrets("plain")).toBeUndefined();
	expect(secrets("file-server")).toBeUndefined();
	expect(secrets("further-domain-controller")).toEqual({
		recovery: `${passwords.recovery}Password`,
		join: `${passwords.join}Password`,
	});
});

test("texts of users come through XML as they are", () => {
	const share = { name: "Größe & 'mehr' $(x) `y`", folder: "C:\\Ordner & 'x' $y" };
	const given = plainWith({
		edition: `Windows ${nasty}`,
		roles: [{ role: "file-server", shares: [{ ...share, change: ["AD\\Domäne $(Benutzer) & 'x'"] }] }],
	});
	const one = installation("windows-server-2022", given);
	const settings = settingsFile(one);
	expect(xmllint(settings, "--xpath", "string(//share/name)").trimEnd()).toBe(share.name);
	expect(xmllint(settings, "--xpath", "string(//share/folder)").trimEnd()).toBe(share.folder);
	expect(xmllint(settings, "--xpath", "string(//share/change)").trimEnd()).toBe(
		"AD\\Domäne $(Benutzer) & 'x'",
	);
	const answer = answerFile(one);
	expect(
		xmllint(answer, "--xpath", "string(//*[local-name()='MetaData']/*[local-name()='Value'])").trimEnd(),
	).toBe(`Windows ${nasty}`);
});

test("without the virtio-win ISO nobody looks for it", () => {
	const one = { ...installation("windows-server-2022", answersFor("plain")), drivers: false };
	expect(answerFile(one)).not.toContain("PnpCustomizations");
	expect(settingsFile(one)).not.toContain("<step>drivers</step>");
});

test.each(["\0", "\u0001", "\ufffe", "\ud800"])("%j is in no answer file", (character) => {
	expect(() => xmlFile(element("a", `x${character}`))).toThrow(/cannot hold/);
});

test.each([
	["windows-11", "bios", "windows-11 can be installed with uefi firmware only, not with bios"],
	["windows-7", "uefi", "windows-7 can be installed with bios firmware only, not with uefi"],
	[
		"windows-server-2003",
		"uefi",
		"windows-server-2003 can be installed with bios firmware only, not with uefi",
	],
] as const)("%s is not installed with %s firmware", (version, firmware, words) => {
	expect(() => answerFile(installation(version, answersFor("plain"), firmware))).toThrow(words);
});

describe("an answer file that is not as documented is found", () => {
	const one = installation("windows-server-2022", answersFor("member"));
	const changed = (change: (node: Element) => Element): string[] => {
		const walk = (node: Element): Element =>
			change({ ...node, content: typeof node.content === "string" ? node.content : node.content.map(walk) });
		return answerFileProblems(walk(unattend(one)), one);
	};
	const renamed = (from: string, to: string) =>
		changed((node) => (node.name === from ? { ...node, name: to } : node));
	const attribute = (name: string, value: string) =>
		changed((node) =>
			name in node.attributes ? { ...node, attributes: { ...node.attributes, [name]: value } } : node,
		);

	test("as it is made, it is as documented", () => {
		expect(changed((node) => node)).toEqual([]);
	});
	test.each([
		[
			"an unknown setting",
			() => renamed("WillWipeDisk", "WillWipeDisc"),
			/WillWipeDisc: there is no such setting/,
		],
		["an unknown component", () => attribute("name", "Microsoft-Windows-Stup"), /there is no such component/],
		[
			"another outermost element",
			() => renamed("unattend", "unattended"),
			/the outermost element is unattended/,
		],
		[
			"another architecture",
			() => attribute("processorArchitecture", "x64"),
			/processorArchitecture is not amd64/,
		],
		["another key", () => attribute("publicKeyToken", "31bf3856ad364e36"), /publicKeyToken is not/],
		["another scope", () => attribute("versionScope", "SxS"), /versionScope is not nonSxS/],
		["a component in the wrong pass", () => attribute("pass", "oobeSystem"), /it is not in this pass/],
		["numbers that are missing", () => attribute("wcm:keyValue", "7"), /its items are numbered 7, 7/],
		[
			"a value that is too long",
			() => changed((node) => (node.name === "Path" ? { ...node, content: "x".repeat(260) } : node)),
			/Path: it is longer than 259 characters/,
		],
		[
			"passes in another order",
			() =>
				changed((node) =>
					node.name === "unattend" && typeof node.content !== "string"
						? { ...node, content: node.content.toReversed() }
						: node,
				),
			/the passes are oobeSystem, specialize, windowsPE/,
		],
	])("%s", (_, problems, words) => {
		expect(problems().join("\n")).toMatch(words);
	});
	test("settings that are deprecated", () => {
		const problems = renamed("ProtectYourPC", "SkipMachineOOBE");
		expect(problems).toEqual(["SkipMachineOOBE: it is deprecated, and for testing only"]);
		const seven = installation("windows-7", answersFor("plain"));
		expect(answerFileProblems(unattend(seven), seven)).toEqual([]);
		expect(answerFile(seven)).toContain("<SkipMachineOOBE>true");
	});
	test("settings that Windows 7 does not know", () => {
		expect(answerFileProblems(unattend(one), { ...one, version: "windows-7" }).join()).toMatch(
			/HideOnlineAccountScreens: Windows 7 and/,
		);
	});
});
