import { expect, test } from "vitest";
import { parse } from "yaml";
import { addServer, SiteEditError } from "./site-edit.ts";

const definition = { image: "/srv/erp.qcow2", memory: "2GiB" };

test("a server is written below the others, and every comment stays", () => {
	const text = "# ours\nname: office\nservers:\n  # the old one\n  dc1: { template: tiny } # keep\n";
	const after = addServer(text, "erp", definition);
	for (const comment of ["# ours", "# the old one", "# keep"]) expect(after).toContain(comment);
	expect(parse(after).servers).toEqual({ dc1: { template: "tiny" }, erp: definition });
});

test.each(["", "name: office\n", "name: office\nservers:\n"])(
	"a file without servers gets its first: %j",
	(text) => {
		expect(parse(addServer(text, "erp", definition))).toEqual({
			name: "office",
			servers: { erp: definition },
		});
	},
);

test.each([
	["name: office\nservers: { erp: { template: tiny } }\n", /a server erp already/],
	["- a\n- b\n", /no list of settings/],
	["name: office\nservers: [a]\n", /no list of settings/],
	["name: [office\n", /no YAML/],
])("what cannot take it is refused: %j", (text, words) => {
	expect(() => addServer(text, "erp", definition)).toThrow(SiteEditError);
	expect(() => addServer(text, "erp", definition)).toThrow(words);
});
