import { expect, test } from "vitest";
import { isKnock } from "./knock.ts";

/** As conntrack 1.4.7 writes it. */
const line = (dst: string, dport: number, kind = "[NEW]", protocol = "tcp      6 120 SYN_SENT") =>
	`    ${kind} ${protocol} src=10.77.0.1 dst=${dst} sport=56478 dport=${dport} [UNREPLIED] src=${dst} dst=10.77.0.1 sport=${dport} dport=56478`;

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
	const range = (protocol: "tcp" | "udp", first: number, last = first) => ({ protocol, first, last });
	const ports = [range("tcp", 80), range("tcp", 1433), range("tcp", 49_152, 65_535), range("udp", 53)];
	expect(isKnock(text, "10.77.0.20", ports)).toBe(expected);
});
