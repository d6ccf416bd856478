import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { profileOf, servicesView } from "./services.ts";

const page = readFileSync(new URL("../../docs/services.md", import.meta.url), "utf8");

test("each service has a row in docs/services.md, and each row is a service", () => {
	const rows = servicesView().map(
		({ name, ports, through, protocol, health, title, source, note }) =>
			`| \`${name}\` | ${ports.join(", ")} | ${protocol}${through === "address" ? ", own address" : ""} | ${health} | ${title} | ${source} | ${note} |`,
	);
	expect(page.split("\n").filter((line) => line.startsWith("| `"))).toEqual(rows);
});

test("each service that is checked has a row that says what with", () => {
	const tried = page.slice(page.indexOf("## What the checks say"));
	const named = tried
		.split("\n")
		.flatMap((line) => /^\| ([a-z][a-z-]*(?:, [a-z-]+)*) \|/.exec(line)?.[1]?.split(", ") ?? []);
	const checked = servicesView().filter(({ health }) => health !== "none");
	expect(named.filter((name) => name !== "profile").sort()).toEqual(checked.map(({ name }) => name));
});

test("only what is a file of the catalogue is in it", () => {
	expect(profileOf("postgresql")).toMatchObject({ port: 5432, protocol: "tcp" });
	for (const name of ["constructor", "toString", "nothing"]) expect(profileOf(name)).toBeUndefined();
});

test("who looks for the printers of Windows is sent to a service that lets RPC through", () => {
	const note = servicesView().find(({ name }) => name === "print")?.note ?? "";
	const other = /Printers that Windows shares are reached by ([a-z-]+)/.exec(note)?.[1] ?? "";
	const { ports } = servicesView().find(({ name }) => name === other) ?? { ports: [] };
	expect(ports).toEqual(expect.arrayContaining(["tcp 135", "tcp 445", "tcp 49152-65535"]));
});
