import { expect, test } from "vitest";
import { stepIn } from "./installer.ts";

test.each([
	["Nov 27 00:50:12 main-menu[2075]: INFO: Menu item 'bootstrap-base' selected", "base system"],
	["Nov 27 00:50:12 main-menu[2075]: INFO: Menu item 'brltty-udeb' selected", undefined],
	["Nov 27 00:50:12 anna[2075]: Menu item 'bootstrap-base' selected", undefined],
	["[    0.000000] Linux version 6.12.94+deb13-amd64 (debian-kernel@lists.debian.org)", "kernel starts"],
])("%s", (line, step) => {
	expect(stepIn(line)).toBe(step);
});
