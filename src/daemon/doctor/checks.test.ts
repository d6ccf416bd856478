import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import type { Check } from "../../api/plan.ts";
import { accelerationCheck, nameServersCheck } from "./checks.ts";

test("that nobody knows whether KVM works is said apart from that it does not", () => {
	const why = "the processor has virtualization, but KVM could not be tried (3 times): no room";
	expect(accelerationCheck({ accelerator: "tcg", why, isKnown: false })).toMatchObject({
		...{ level: "note", found: `not known: ${why}` },
		mend: expect.stringMatching(/restart a daemon/),
	});
	expect(accelerationCheck({ accelerator: "tcg", why: "no", isKnown: true })).toMatchObject({
		...{ level: "note", found: "TCG (slow): no" },
	});
	expect(accelerationCheck({ accelerator: "kvm", why: "it ran", isKnown: true })).toMatchObject({
		level: "ok",
	});
});

test("a name server of the host that is a server of the site is no good for the site's servers, and that is said", () => {
	const [usable, inside] = [["192.0.2.53"], ["192.168.1.20"]];
	const own = "; not 192.168.1.20, a server of the site itself";
	expect(nameServersCheck({ usable, inside })).toMatchObject({
		...{ level: "ok", found: `192.0.2.53, for servers with \`outbound: allow\`${own}` },
	});
	expect(nameServersCheck({ usable: [], inside })).toMatchObject({
		...{ level: "note", found: `this host names none by an IPv4 address beyond itself${own}` },
	});
	expect(nameServersCheck({ usable, inside: [] }).found).not.toContain(own);
});

test("what the host has is found, also where the user's PATH lacks the folders of administrators' programs", () => {
	const doctor = fileURLToPath(new URL("./main.ts", import.meta.url));
	const programs = (PATH: string) => {
		const { stdout } = spawnSync(process.execPath, [doctor, "--json"], {
			env: { ...process.env, PATH },
			encoding: "utf8",
		});
		const { checks } = JSON.parse(stdout) as { checks: Check[] };
		return checks.find(({ name }) => name === "programs");
	};
	expect(programs("/usr/bin:/bin")).toEqual(programs("/usr/sbin:/usr/bin:/sbin:/bin"));
});
