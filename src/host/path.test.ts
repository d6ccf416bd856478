import { expect, test } from "vitest";
import { completePath } from "./path.ts";

test.each([
	["/opt/qemu/bin:/usr/bin:/bin", "/opt/qemu/bin:/usr/bin:/bin:/usr/sbin:/sbin"],
	["/usr/sbin:/usr/bin", "/usr/sbin:/usr/bin:/sbin"],
	["/sbin:/usr/sbin", "/sbin:/usr/sbin"],
	["", "/usr/sbin:/usr/bin:/sbin:/bin"],
	[undefined, "/usr/sbin:/usr/bin:/sbin:/bin"],
])("the host's programs are found after what a PATH has: %s", (given, expected) => {
	const environment = { ...(given === undefined ? {} : { PATH: given }) } as NodeJS.ProcessEnv;
	completePath(environment);
	expect(environment.PATH).toBe(expected);
});
