import { expect, test } from "vitest";
import { buses, cards, firmwares, guestNames } from "../../api/guest.ts";
import { readOvf } from "../import/ovf.ts";
import { readXml } from "../import/xml.ts";
import { type Exported, ovfOf } from "./ovf.ts";

const erp: Exported = {
	name: "erp",
	guest: "windows-server-2016",
	firmware: "bios",
	memoryBytes: 192 * 2 ** 20,
	cpus: 2,
	disks: [],
	card: { mac: "00:50:56:00:00:07", card: "e1000" },
};
const disk = (file: string, bus: Exported["disks"][number]["bus"]) => ({
	file,
	fileBytes: 1,
	virtualBytes: 2 ** 30,
	bus,
});
const read = (server: Exported) => readOvf(readXml(ovfOf(server)));

test.each(buses)("a disk on %s comes back on it, after the one that the server starts from", (bus) => {
	const { disks } = read({
		...erp,
		disks: [disk("system & <all>.vmdk", bus), disk("b.vmdk", "sata"), disk("c.vmdk", bus)],
	});
	expect(disks.map(({ file, bus, system }) => [file, bus, system])).toEqual([
		["system & <all>.vmdk", bus, true],
		["b.vmdk", "sata", false],
		["c.vmdk", bus, false],
	]);
});

test.each(firmwares)("firmware %s comes back", (firmware) => {
	expect(read({ ...erp, firmware, disks: [disk("a", "sata")] }).firmware).toBe(firmware);
});

test.each(cards)("a card %s comes back with its address", (card) => {
	const mac = "00:50:56:00:00:07";
	expect(read({ ...erp, card: { mac, card }, disks: [disk("a", "sata")] }).cards).toEqual([{ mac, card }]);
});

test.each(guestNames)("guest %s comes back", (guest) => {
	expect(read({ ...erp, guest, disks: [disk("a", "sata")] }).guest).toBe(guest);
});

test("memory and processors come back", () => {
	expect(read({ ...erp, disks: [disk("a", "sata")] })).toMatchObject({ memoryBytes: 192 * 2 ** 20, cpus: 2 });
});
