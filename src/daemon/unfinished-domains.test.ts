import { expect, test } from "vitest";
import type { StoredServer } from "../store/servers.ts";
import { unfinishedDomains } from "./unfinished-domains.ts";

const uuid = (number: number) => `00000000-0000-4000-8000-00000000000${number}`;
const domain = {
	origin: "made" as const,
	...{ realm: "AD.EXAMPLE.COM", workgroup: "AD", controllers: ["dc1", "dc2"], madeOn: [uuid(1), uuid(2)] },
};
const server = (name: string, number: number, known: boolean): StoredServer => ({
	...{
		name,
		site: "home",
		subnet: "10.77.0.0/24",
		subnet6: null,
		lan: null,
		ejected: [],
		filled: [],
		domain: known ? domain : null,
	},
	definition: { template: "debian-domain-controller" },
	installed: {
		...{
			index: number,
			uid: 1_900_000_001,
			uuid: uuid(number),
			source: "a template",
			boot: { kind: "disk" },
		},
		...{ agent: true, memoryBytes: 2 ** 27, cpus: 1, systemDisk: "disposable", systemBytes: 2 ** 26 },
		...{ guest: "linux" as const, domainDisk: "domain", services: {} },
	},
});

test("a controller that was not told of its domain is told", () => {
	const second = server("dc2", 2, false);
	expect(unfinishedDomains([server("dc1", 1, true), second])).toEqual([{ ...second, domain }]);
});

test("none that knows it, is another's, or was made anew under the name of one", () => {
	expect(unfinishedDomains([server("dc1", 1, true), server("dc2", 2, true)])).toEqual([]);
	expect(unfinishedDomains([server("dc1", 1, true), server("dc2", 3, false)])).toEqual([]);
	expect(unfinishedDomains([server("dc1", 1, false), server("dc2", 2, false)])).toEqual([]);
});
