import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { stepsOf } from "./settings.ts";
import { answers, answersFor } from "./testing/samples.ts";

/**
 * There is no PowerShell here that could read these scripts: what can be said without one is held, in place of a syntax check.
 */
const folder = join(import.meta.dirname, "scripts");
const names = readdirSync(folder);
const scripts = names.filter((name) => name.endsWith(".ps1"));
const textOf = (name: string) => readFileSync(join(folder, name), "utf8");

/**
 * The tokens of PowerShell that matter for balance: comments and strings are taken out.
 * Source: Microsoft, "about_Quoting_Rules", "about_Comments".
 */
function bare(text: string): string {
	const token = /#[^\n]*|'(?:[^'\n]|'')*'|"(?:[^"`\n]|`.|"")*"|./gs;
	return text.replace(token, (found) => (found.startsWith("#") ? "" : /^['"]./s.test(found) ? "''" : found));
}

function unbalanced(text: string): string {
	const open: string[] = [];
	const pairs: Record<string, string> = { ")": "(", "]": "[", "}": "{" };
	for (const character of bare(text)) {
		if ("([{".includes(character)) open.push(character);
		if (character in pairs && open.pop() !== pairs[character]) return `a ${character} too many`;
	}
	return open.join("");
}

describe.each(scripts)("%s", (name) => {
	const text = textOf(name);
	test("is ASCII, so that no Windows takes it for another encoding", () => {
		expect(text).toMatch(/^[\t\n\x20-\x7e]*$/);
	});
	test("has balanced quotes and brackets", () => {
		expect(unbalanced(text)).toBe("");
		expect(bare(text).replaceAll("''", "")).not.toMatch(/['"]/);
	});
	test("runs no text", () => {
		expect(bare(text)).not.toMatch(/\b(?:Invoke-Expression|iex|Add-Type|ScriptBlock\]::Create)\b/i);
		expect(text).not.toMatch(/cmd(?:\.exe)? \/c|powershell(?:\.exe)? -c/i);
	});
	test("keeps to what PowerShell 2 knows", () => {
		const newer =
			/-(?:in|notin|shl|shr)\b|\[ordered\]|\[pscustomobject\]|ConvertTo-Json\b|ConvertFrom-Json\b|Get-CimInstance|::new\(|\?\?|&&|\|\|/i;
		expect(bare(text)).not.toMatch(newer);
	});
	test("gives no password to a program", () => {
		const calls = text.split("\n").filter((line) => /Invoke-Program|Write-Log|Start-Process/.test(line));
		expect(calls.filter((line) => /Get-Secret|Get-SecureSecret|Password/.test(line))).toEqual([]);
	});
});

test("the balance is really looked at", () => {
	expect(unbalanced("function a { 'it''s } ' }")).toBe("");
	expect(unbalanced("function a { (")).toBe("{(");
	expect(unbalanced("a # }\n")).toBe("");
	expect(unbalanced('a "x`"}" }')).toBe("a } too many");
});

test("every function that is used is there, and every step has one", () => {
	const all = scripts.map(textOf).join("\n");
	const defined = [...all.matchAll(/^function ([\w-]+)/gm)].map((match) => match[1]);
	expect(new Set(defined).size).toBe(defined.length);
	const steps = Object.fromEntries(
		[...textOf("first-boot.ps1").matchAll(/'([\w-]+)' = '(Step-\w+)'/g)].map((match) => [match[1], match[2]]),
	);
	const wanted = Object.keys(answers).flatMap((scenario) =>
		stepsOf({ answers: answersFor(scenario), drivers: true }),
	);
	for (const step of wanted) expect(defined).toContain(steps[step]);
	expect(Object.keys(steps).sort()).toEqual([...new Set(wanted)].sort());
	const ours = [
		"Write-Log",
		"Read-Xml",
		"Get-Text",
		"Invoke-Program",
		"Get-Secret",
		"Get-SecureSecret",
		"Set-Number",
		"Add-Feature",
		"Complete-Installation",
		"Get-StepFile",
		"Save-Result",
		"Save-Firmly",
		"Find-EmptyDisk",
		"Get-VolumeDisk",
	];
	for (const name of ours) expect(defined).toContain(name);
	const parts = /foreach \(\$part in (.*)\) \{ \./.exec(textOf("first-boot.ps1"))?.[1] ?? "";
	expect([...parts.matchAll(/'(\w+)'/g)].map((match) => `${match[1]}.ps1`).sort()).toEqual(
		scripts.filter((name) => name !== "first-boot.ps1").sort(),
	);
});

test("what a step is told by settings.xml is what it asks for", () => {
	const asked = [
		...scripts
			.map(textOf)
			.join("\n")
			.matchAll(/(?:Get-Text|SelectNodes\(|SelectSingleNode\(|Get-Accounts) ?(?:\$\w+ )?'([\w/ |-]+)'/g),
	].flatMap((match) => (match[1] ?? "").split(/[ |/]+/));
	const goldens = join(import.meta.dirname, "goldens");
	const told = readdirSync(goldens)
		.filter((name) => name.startsWith("settings-"))
		.map((name) => readFileSync(join(goldens, name), "utf8"))
		.join("");
	expect(asked.length).toBeGreaterThan(15);
	for (const name of asked) expect(told).toContain(`<${name}`);
});

/** The lines of a function, without its comments. */
function bodyOf(name: string): string {
	const text = textOf("disks.ps1").replace(/^ *#.*\n/gm, "");
	return new RegExp(`^function ${name}\\b.*\\n((?: .*\\n|\\n)*)^\\}`, "m").exec(text)?.[1] ?? "";
}

describe("a volume of databases", () => {
	/** What stands in a function in this order. */
	const inOrder = (name: string, ...parts: string[]) => {
		const places = parts.map((part) => bodyOf(name).indexOf(part));
		expect(places, name).toEqual(places.toSorted((one, other) => one - other));
		expect(places, name).not.toContain(-1);
	};

	test("is made on no other disk than the one of its name, also when that is not empty any more", () => {
		// Disks are looked for by name among all, before those with something on them are left out.
		inOrder(
			"Find-EmptyDisk",
			"$disks = @(Get-WmiObject Win32_DiskDrive | Sort-Object Index)",
			".Trim() -eq $Name",
			"if ($named.Count -gt 0) { $disks = $named }",
			"$empty = @($disks | Where-Object { $_.Partitions -eq 0 })",
			"if ($empty.Count -gt 1 -and $Name -ne '') { throw",
			"return $empty[0]",
		);
	});

	test("is made on the disk that it was begun on, or not at all", () => {
		inOrder("Get-VolumeDisk", "Find-EmptyDisk $Name", "Save-Firmly $file $disk.PNPDeviceID", "return $disk");
		inOrder(
			"Get-VolumeDisk",
			"$_.PNPDeviceID -eq $begun -and $_.Partitions -eq 0",
			"if ($disks.Count -ne 1) { throw",
			"return $disks[0]",
		);
		inOrder("Initialize-DataDisk", "Get-VolumeDisk $letter", "'select disk ' + $disk.Index", "diskpart.exe");
	});
});

test("the batch file that begins all this has no percent sign by accident", () => {
	const text = textOf("start.cmd");
	expect(text.replaceAll("%~dp0", "")).not.toContain("%");
	expect(text).toMatch(/^[\n\x20-\x7e]*$/);
});
