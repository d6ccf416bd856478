import { expect, test } from "vitest";
import { isKnock, isTold, isWaiting } from "./knock.ts";

/** As conntrack 1.4.7 writes it. */
const line = (dst: string, dport: number, kind = "[NEW]", protocol = "tcp      6 120 SYN_SENT") =>
	`    ${kind} ${protocol} src=10.77.0.1 dst=${dst} sport=56478 dport=${dport} [UNREPLIED] src=${dst} dst=10.77.0.1 sport=${dport} dport=56478`;

const range = (protocol: "tcp" | "udp", first: number, last = first) => ({ protocol, first, last });
const ports = [range("tcp", 80), range("tcp", 1433), range("tcp", 49_152, 65_535), range("udp", 53)];

test.each([
	["a published port", line("10.77.0.20", 80), true],
	["another published port", line("10.77.0.20", 1433), true],
	["a port that is not published", line("10.77.0.20", 22), false],
	["a port of a range", line("10.77.0.20", 49_999), true],
	["UDP", line("10.77.0.20", 53, "[NEW]", "udp      17 30"), true],
	["UDP at a port of TCP", line("10.77.0.20", 80, "[NEW]", "udp      17 30"), false],
	["another server", line("10.77.0.21", 80), false],
	["the answers' direction only", line("10.77.0.1", 9).replaceAll("dport=9 ", "dport=22 "), false],
	["no new connection", line("10.77.0.20", 80, "[DESTROY]"), false],
	["nothing", "", false],
])("%s", (_, text, expected) => {
	expect(isKnock(text, "10.77.0.20", ports)).toBe(expected);
});

const listed = (what: { src?: string; dport?: number; kind?: string; protocol?: string }) => {
	const { src = "192.0.2.7", dport = 80, kind = "[UNREPLIED] ", protocol = "tcp      6 118 SYN_SENT" } = what;
	return `${protocol} src=${src} dst=10.77.0.20 sport=5647 dport=${dport} ${kind}src=10.77.0.20 dst=${src} sport=${dport} dport=5647 mark=0 use=1`;
};

test.each([
	["who waits for a used port", listed({}), true],
	["who has asked by UDP", listed({ dport: 53, protocol: "udp      17 12" }), true],
	["the sandbox itself", listed({ src: "10.77.0.1" }), false],
	["a port that is not used", listed({ dport: 22 }), false],
	["who was answered", listed({ protocol: "tcp      6 50 SYN_RECV", kind: "" }), false],
	["nothing", "", false],
])("listed: %s", (_, text, expected) => {
	expect(isWaiting(text, "10.77.0.20", ports, ["10.77.0.1"])).toBe(expected);
});

test("a process is told of new connections once it has asked to be", () => {
	const told = (family: number, groups: string, inode: string) => {
		const heading =
			"sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode";
		const line = `00000000c4bcf993 ${family}  3072156939 ${groups} 0        0        0     2        0        ${inode}`;
		return isTold(`${heading}\n${line} \n`, ["7362785", "7362786"]);
	};
	expect(told(12, "00000001", "7362786")).toBe(true);
	expect(told(12, "00000000", "7362786")).toBe(false);
	expect(told(12, "00000001", "7362787")).toBe(false);
	expect(told(0, "00000001", "7362786")).toBe(false);
	expect(isTold("", ["7362786"])).toBe(false);
});
