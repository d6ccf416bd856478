import { expect, test } from "vitest";
import { closure, parseUdebs } from "./installer-packages.ts";

const list = `Package: partman-base
Depends: libparted2-udeb (>= 3.6), ntfs-3g-udeb, di-utils
Description: partitions
 more of it

Package: libparted2-udeb
Depends: libc6-udeb (>= 2.41) | libc-udeb

Package: tool
Provides: di-utils

Package: stranger
`;
const names = (roots: string[], installed: string[] = []) =>
	closure(parseUdebs(list), roots, new Set(installed)).map(({ name }) => name);

test("what is needed follows from dependencies, by name or by what is provided", () => {
	expect(names(["partman-base"])).toEqual(["libparted2-udeb", "partman-base", "tool"]);
});

test("what the installer brings along is not taken again", () => {
	expect(names(["partman-base"], ["libparted2-udeb", "di-utils"])).toEqual(["partman-base"]);
});

test("what the mirror does not list is said by its name", () => {
	expect(() => names(["grub-installer"])).toThrow("grub-installer");
});

test("what looks for other systems is left out of a paragraph, which stays whole", () => {
	const [partman] = parseUdebs(list);
	expect(partman?.text).toContain("Depends: libparted2-udeb (>= 3.6), di-utils\n");
	expect(partman?.text).toContain("\n more of it");
});
