import { expect, test } from "vitest";
import { isKnock } from "./knock.ts";

/** As conntrack 1.4.7 writes it. */
const line = (dst: string, dport: number, kind = "[NEW]") =>
	`    ${kind} tcp      6 120 SYN_SENT src=10.77.0.1 dst=${dst} sport=56478 dport=${dport} [UNREPLIED] src=${dst} dst=10.77.0.1 sport=${dport} dport=56478`;

test.each([
	["a published port", line("10.77.0.20", 80), true],
	["another published port", line("10.77.0.20", 1433), true],
	["a port that is not published", line("10.77.0.20", 22), false],
	["another server", line("10.77.0.21", 80), false],
	["the answers' direction only", line("10.77.0.1", 9).replaceAll("dport=9 ", "dport=22 "), false],
	["no new connection", line("10.77.0.20", 80, "[DESTROY]"), false],
	["nothing", "", false],
])("%s", (_, text, expected) => {
	expect(isKnock(text, "10.77.0.20", [80, 1433])).toBe(expected);
});
