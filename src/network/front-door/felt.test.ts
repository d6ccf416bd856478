import { expect, test } from "vitest";
import { blameServer, feltOf, parseRing, parseSessions } from "./felt.ts";

/** The outage: from 100,000 to 110,000 ms. */
const felt = (...lines: string[]) => feltOf(parseRing(`${lines.join("\n")}\n\n`), 100_000, 110_000);
const counts = (requests: number, held: number, failed: number, longestPauseMs: number) => ({
	requests,
	held,
	failed,
	longestPauseMs,
});

// Fields: end, duration, Tw, Tc, Tr, status, retries, termination, bytes, method.
test.each([
	["over before", "http 99999 10 0 0 9 200 0 -- 120 GET", counts(0, 0, 0, 0)],
	["begun after", "http 110020 10 0 0 9 200 0 -- 120 GET", counts(0, 0, 0, 0)],
	["served as usual at the edge", "http 100005 10 0 1 8 200 0 -- 120 GET", counts(1, 0, 0, 9)],
	["waited for its connection", "http 110200 9000 0 8900 90 200 89 -- 120 GET", counts(1, 1, 0, 8990)],
	["in flight, sent again", "http 110100 150 0 120 20 200 1 -- 120 GET", counts(1, 1, 0, 140)],
	["a long download counts its wait only", "http 150000 45000 0 400 20 200 4 -- 9 GET", counts(1, 1, 0, 420)],
	["held until the limit", "http 105000 4000 0 -1 -1 503 40 sC 141 POST", counts(1, 0, 1, 4000)],
	["in flight, not repeatable", "http 100100 600 0 1 -1 502 0 SH 200 POST", counts(1, 0, 1, 600)],
	["cut in the response", "http 100100 600 0 1 20 200 0 SD 5000 GET", counts(1, 0, 1, 21)],
	["the server's own error is an answer", "http 105000 10 0 1 8 503 0 -- 141 GET", counts(1, 0, 0, 9)],
	["its client gave up", "http 105000 4000 0 -1 -1 400 40 CC 0 GET", counts(1, 0, 0, 4000)],
	["its client's own mistake", "http 105000 1 -1 -1 -1 400 0 PR 0 <BADREQ>", counts(1, 0, 0, 1)],
	["an answer that HAProxy cannot read", "http 105000 9 0 1 -1 502 0 PH 0 GET", counts(1, 0, 1, 9)],
	["TCP, waited", "tcp 160000 59000 1 3000 -1 0 30 -- 99 -", counts(1, 1, 0, 3001)],
	["TCP, cut", "tcp 100100 90000 0 1 -1 0 0 SD 99 -", counts(1, 0, 1, 1)],
	["TCP, held until the limit", "tcp 105000 3046 1 -1 -1 0 30 SC 0 -", counts(1, 0, 1, 3046)],
	["none of ours", "Server health.http.8080/guest is DOWN", counts(0, 0, 0, 0)],
	["a method too long for the ring", `http 105000 9 0 1 8 400 0 -- 0 ${"X".repeat(140)}`, counts(1, 0, 0, 9)],
])("%s", (_, line, expected) => {
	expect(felt(line)).toEqual(expected);
});

test("adds up", () => {
	const sum = felt(
		"http 105000 10 0 1 8 200 0 -- 120 GET",
		"http 110200 9000 0 8900 90 200 89 -- 120 GET",
		"http 100100 600 0 1 -1 502 0 SH 200 POST",
	);
	expect(sum).toEqual(counts(3, 1, 1, 8990));
});

test("requests whose clients were cut off on purpose count as failed once, and no others", () => {
	const passages = parseRing(
		[
			"http 103990 90 0 0 9 200 0 CD 192.0.2.7:5001 120 GET",
			"http 104010 90 0 0 9 200 0 -- 192.0.2.7:5002 120 POST",
			"http 104011 90 0 0 9 200 0 CD 192.0.2.7:5003 120 GET",
			"http 104012 90 0 0 9 200 0 -- 2001:db8::7:5004 120 GET",
			"http 104012 90 0 0 9 200 0 SD 192.0.2.7:5005 120 GET",
			"http 104013 90 0 0 9 200 0 -- 192.0.2.7:5006 120 GET",
			// Of requests with another hop, and as a front door writes them that an earlier version began.
			"http 104013 90 0 0 9 200 0 -- unix:1 120 POST",
			"http 104013 90 0 0 9 200 0 CD 120 GET",
			"tcp 104013 90 0 1 -1 0 0 CD 192.0.2.7:5008 99 -",
		].join("\n"),
	);
	const outcomes = (...clients: string[]) =>
		blameServer(passages, [{ from: 104_000, to: 104_200, clients: new Set(clients) }]).map(
			({ outcome }) => outcome,
		);
	const usual = [
		...["given-up", "served", "given-up", "served"],
		...["failed", "served", "served", "given-up", "given-up"],
	];
	const failing = (...indices: number[]) =>
		usual.map((outcome, index) => (indices.includes(index) ? "failed" : outcome));
	expect(outcomes()).toEqual(usual);
	expect(outcomes("192.0.2.7:5003", "2001:db8::7:5004")).toEqual(failing(2, 3));
	// HAProxy saw the server's end first: nobody else is taken for that one.
	expect(outcomes("192.0.2.7:5005")).toEqual(usual);
	// Of those whose clients are not known, the one that seems to have left comes first.
	expect(outcomes("192.0.2.7:6001")).toEqual(failing(7));
	expect(outcomes("192.0.2.7:5003", "192.0.2.7:6001", "192.0.2.7:6002")).toEqual(failing(2, 6, 7));
	expect(outcomes("192.0.2.7:6001", "192.0.2.7:6002", "192.0.2.7:6003")).toEqual(failing(6, 7));
});

function session(frontend: string, mode: string, retries: number, state: string): string {
	return [
		"0x5587618466d0: [22/Nov/2026:09:25:03.759901] id=0 proto=tcpv4 source=127.0.0.1:55898",
		`  flags=0x80a, conn_retries=${retries}, conn_exp=0s conn_et=0x010 srv_conn=0x558761784450`,
		`  frontend=${frontend} (id=2 mode=${mode}), listener=? (id=1) addr=127.0.0.1:28085`,
		"  scf=0x5587619183b0 flags=0x00000200 state=EST endp=CONN,0x55876193c8f0,0x02804001 sub=1",
		`  scb=0x5587618ac820 flags=0x00000001 state=${state} endp=NONE,(nil),0x00000010 sub=0`,
		"",
	].join("\n");
}

test.each([
	["HTTP that waits", session("http.80", "http", 18, "TAR"), counts(1, 0, 0, 2000)],
	["HTTP that is being served", session("http.80", "http", 0, "EST"), counts(0, 0, 0, 0)],
	["TCP that waits", session("sql.1433", "tcp", 18, "CON"), counts(1, 0, 0, 2000)],
	["TCP that waited and is served", session("sql.1433", "tcp", 18, "EST"), counts(1, 1, 0, 1800)],
	["TCP that is served as usual", session("sql.1433", "tcp", 0, "EST"), counts(1, 0, 0, 0)],
	["another frontend", session("GLOBAL", "tcp", 0, "EST"), counts(0, 0, 0, 0)],
])("live: %s", (_, text, expected) => {
	const start = Date.UTC(2026, 10, 22, 9, 25, 3, 759);
	const passages = parseSessions(text + text.slice(0, 20), start + 2000, new Set(["http.80", "sql.1433"]));
	expect(feltOf(passages, start - 1000, start + 1000)).toEqual(expected);
});
