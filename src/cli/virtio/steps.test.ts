import { expect, test } from "vitest";
import { parse } from "yaml";
import { checkSite } from "../../api/site-check.ts";
import { SiteEditError } from "../site-edit.ts";
import { begin, goBack, switchOver } from "./steps.ts";

const site = (server: string) => `# ours\nname: office\nservers:\n  erp: # the old one\n${server}`;
const erp = "    image: /srv/erp.vmdk\n    system: { bus: lsi-sas }\n";
const servers = (text: string) => parse(text).servers;

test("there and back: the file tells each step, is right at each, and keeps its comments", () => {
	const first = begin(site(erp), "erp", "sata") ?? "";
	expect(servers(first).erp).toEqual({
		image: "/srv/erp.vmdk",
		system: { bus: "lsi-sas" },
		data: [{ name: "was-lsi-sas", size: "64MiB", bus: "virtio" }],
	});
	const second = switchOver(first, "erp", "sata");
	expect(servers(second).erp.system).toEqual({ bus: "virtio" });
	const back = goBack(second, "erp");
	expect(servers(back).erp.system).toEqual({ bus: "lsi-sas" });
	for (const text of [first, second, back]) {
		expect(checkSite(parse(text)).problems).toEqual([]);
		expect(text).toContain("# ours");
		expect(text).toContain("# the old one");
	}
	expect(begin(first, "erp", "sata")).toBeUndefined();
});

test("one that is attached as is usual for its guest comes back to that, whatever is usual later; its other disks stay", () => {
	const first =
		begin(
			site("    image: /srv/erp.vmdk\n    data:\n      - { name: files, size: 1GiB }\n"),
			...(["erp", "ide"] as const),
		) ?? "";
	expect(servers(first).erp.data).toEqual([
		{ name: "files", size: "1GiB" },
		{ name: "was-ide", size: "64MiB", bus: "virtio" },
	]);
	const second = switchOver(first, "erp", "ide");
	expect(servers(second).erp.system).toEqual({ bus: "virtio" });
	expect(servers(goBack(second, "erp")).erp.system).toEqual({ bus: "ide" });
});

test.each([
	["another server", () => begin(site(erp), "crm", "sata"), /no server crm/],
	["one of a template", () => begin(site("    template: tiny\n"), "erp", "virtio"), /made from a template/],
	[
		"one that is there already",
		() => begin(site(erp.replace("lsi-sas", "virtio")), "erp", "sata"),
		/on virtio already/,
	],
	[
		"one that is there as is usual",
		() => begin(site("    image: /srv/erp.vmdk\n"), "erp", "virtio-scsi"),
		/on virtio-scsi already/,
	],
	[
		"the second step before the first",
		() => switchOver(site(erp), "erp", "sata"),
		/no small virtio disk yet; begin with/,
	],
	["a way back that nobody knows", () => goBack(site(erp), "erp"), /set `system\.bus` by hand/],
])("%s is refused", (_, step, words) => {
	expect(step).toThrow(SiteEditError);
	expect(step).toThrow(words);
});
