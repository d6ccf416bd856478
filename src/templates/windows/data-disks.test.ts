import { describe, expect, test } from "vitest";
import { batchFiles } from "./batch.ts";
import { type DataDisk, dataDiskProblems, diskChoices } from "./data-disks.ts";
import { settingsFile } from "./settings.ts";
import { installation, plainWith } from "./testing/samples.ts";

const sql = { role: "sql-server-disk", letter: "D", label: "SQL Server" };
const exchange = { role: "exchange-disk", letter: "E", label: "Mailboxes" };
const disk = (name: string, changes: Partial<DataDisk> = {}): DataDisk => ({
	...{ name, filled: false },
	...changes,
});
const archive = disk("archive", { filled: true });

/** Letters of the roles, and the disks that they get. */
const chosen = (roles: object[], data: DataDisk[]) =>
	[...diskChoices(plainWith({ roles }).roles ?? [], data)].map(
		([{ letter }, at]) => `${letter}: ${data[at]?.name}`,
	);
const problems = (roles: object[], data: DataDisk[]) =>
	dataDiskProblems(plainWith({ roles }), data).map(({ path, message }) => `${path.join(".")}: ${message}`);

test.each([
	["what it names", [{ ...sql, disk: "sql" }], [archive, disk("sql")], ["D: sql"]],
	["the first when it names none", [sql], [disk("a"), disk("b")], ["D: a"]],
	["none that comes from an image", [sql], [archive, disk("b")], ["D: b"]],
	[
		"none that another names after it",
		[sql, { ...exchange, disk: "a" }],
		[disk("a"), disk("b")],
		["E: a", "D: b"],
	],
	["nothing when nothing is left", [sql, exchange], [disk("a")], ["D: a"]],
])("a role gets %s", (_, roles, data, expected) => {
	expect(chosen(roles, data)).toEqual(expected);
});

test("Windows Server 2003 takes the disk by its place among the server's, and formats only what it has just made", () => {
	const given = plainWith({ roles: [{ ...sql, disk: "sql" }] });
	const one = { ...installation("windows-server-2003", given), data: [archive, disk("sql")] };
	const files = batchFiles(one);
	expect(files["DISK-D.TXT"]).toBe("select disk 2\r\ncreate partition primary\r\nassign letter=D\r\n");
	const formats = files["FIRST.CMD"]?.split("\r\n").filter((line) => line.includes("format"));
	expect(formats).toEqual([
		expect.stringMatching(
			/^if not exist D:\\ \(diskpart \/s \S+DISK-D\.TXT && echo y\| format D: [^()]*\) >> \S+ 2>&1$/,
		),
	]);
});

test("newer ones are told of roles that name their disk before those that take any", () => {
	const given = plainWith({ roles: [sql, { ...exchange, disk: "mail" }] });
	const text = settingsFile(installation("windows-server-2022", given));
	expect(text.indexOf("<exchange-disk>")).toBeGreaterThan(0);
	expect(text.indexOf("<exchange-disk>")).toBeLessThan(text.indexOf("<sql-server-disk>"));
});

describe("refused, with the field and the mend, is", () => {
	test("a disk that comes from an image", () => {
		expect(problems([{ ...sql, disk: "archive" }], [archive, disk("sql")])).toEqual([
			expect.stringMatching(/^roles\.0\.disk: archive comes from an image, .*; name a data disk without/),
		]);
	});
	test("to name none where Windows might take one with something on it", () => {
		expect(problems([sql], [archive, disk("sql")])).toEqual([
			expect.stringMatching(/^roles\.0\.disk: is missing: archive comes from an image/),
		]);
	});
	test("a role for which there is no disk", () => {
		expect(problems([{ ...sql, disk: "sql" }, exchange], [disk("sql")])).toEqual([
			expect.stringMatching(/^roles\.1\.disk: there is no empty data disk for it; add one under `data:`/),
		]);
	});
	test("nothing where it is clear, or where no role wants a disk", () => {
		expect(problems([{ ...sql, disk: "sql" }], [archive, disk("sql")])).toEqual([]);
		expect(problems([], [archive])).toEqual([]);
	});
});
