import { describe, expect, it } from "vitest";
import { table } from "./table.ts";
import { plain, styled } from "./terminal.ts";
import { truncate, widthOf } from "./width.ts";

const columns = [
	{ title: "NAME" },
	{ title: "N", align: "right" },
	{ title: "PLACE", least: 4 },
	{ title: "REASON", least: 6 },
] as const;
const rows = [
	[styled("dc1", "bold"), "7", "10.77.0.10", "nothing to say"],
	["世界", "128", "", "it did\u001b[2J not\nanswer"],
];

describe("table", () => {
	it("aligns columns, whatever their width on the screen", () => {
		expect(table(columns, rows).map(plain)).toEqual([
			"NAME    N  PLACE       REASON",
			"dc1     7  10.77.0.10  nothing to say",
			"世界  128              it did not answer",
		]);
	});

	it("keeps the styles apart from the text", () => {
		const [header, first] = table(columns, rows);
		expect(header?.[0]).toEqual(styled("NAME", "bold"));
		expect(first?.[0]).toEqual(styled("dc1 ", "bold"));
	});

	it("cuts the last columns first, to fit the terminal", () => {
		expect(table(columns, rows, 30).map(plain)).toEqual([
			"NAME    N  PLACE       REASON",
			"dc1     7  10.77.0.10  nothin…",
			"世界  128              it did…",
		]);
		const narrow = table(columns, rows, 24).map(plain);
		expect(narrow[1]).toBe("dc1     7  10.77…  noth…".replace("10.77…  noth…", "10.7…  nothi…"));
	});
});

describe("width", () => {
	it("counts columns, not characters", () => {
		expect([..."aé世\u{1f600}"].map(widthOf)).toEqual([1, 1, 2, 2]);
		expect(widthOf("e\u0301")).toBe(1);
	});

	it("cuts between characters", () => {
		expect(truncate("世界人", 5)).toBe("世界…");
		expect(truncate("世界人", 4)).toBe("世…");
		expect(truncate("abc", 3)).toBe("abc");
		expect(truncate("abc", 0)).toBe("");
	});
});
