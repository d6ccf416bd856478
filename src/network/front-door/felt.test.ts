import { expect, test } from "vitest";
import {
	blameServer,
	type Dropped,
	droppedOf,
	feltOf,
	parseRing,
	parseSessions,
	remembered,
} from "./felt.ts";

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
	const outcomes = (unnamed: number, ...clients: string[]) =>
		blameServer(passages, [{ ...window, clients, unnamed }]).map(({ outcome }) => outcome);
	const usual = [
		...["given-up", "served", "given-up", "served"],
		...["failed", "served", "served", "given-up", "given-up"],
	];
	const failing = (...indices: number[]) =>
		usual.map((outcome, index) => (indices.includes(index) ? "failed" : outcome));
	expect(outcomes(0)).toEqual(usual);
	expect(outcomes(0, "192.0.2.7:5003", "2001:db8::7:5004")).toEqual(failing(2, 3));
	// HAProxy saw the server's end first: nobody else is taken for that one.
	expect(outcomes(0, "192.0.2.7:5005")).toEqual(usual);
	// Of those whose clients are not known, the one that seems to have left comes first.
	expect(outcomes(1)).toEqual(failing(7));
	expect(outcomes(2, "192.0.2.7:5003")).toEqual(failing(2, 6, 7));
	expect(outcomes(3)).toEqual(failing(6, 7));
	// Its line comes later, and it is known: nobody else is taken for that one either.
	expect(outcomes(0, "192.0.2.7:6001")).toEqual(usual);
});

const window = { from: 104_000, to: 104_200 };

test("a client with several requests stands for itself alone", () => {
	const outcomes = (lines: readonly string[], dropped: Omit<Dropped, "from" | "to">) =>
		blameServer(parseRing(lines.join("\n")), [{ ...window, ...dropped }]).map(({ outcome }) => outcome);
	const post = (at: number) => `http ${at} 90 0 0 9 200 0 -- unix:1 120 POST`;
	const get = (at: number, port: number, state: string) =>
		`http ${at} 90 0 0 9 200 0 ${state} 192.0.2.7:${port} 120 GET`;
	// Three at once on one connection (HTTP/2), of which one could not be saved: no other client is blamed for any.
	const together = [get(104_010, 5001, "CD"), get(104_010, 5001, "CD"), get(104_010, 5001, "CD")];
	const posts = [post(104_011), post(104_012), post(104_013)];
	expect(outcomes([...together, ...posts], { clients: ["192.0.2.7:5001"], unnamed: 0 })).toEqual([
		...["failed", "failed", "failed", "served", "served", "served"],
	]);
	// With one more whose client is not known, as many are blamed as there were, and not all but a few.
	const more = { clients: ["192.0.2.7:5001"], unnamed: 1 };
	expect(outcomes([...together, ...posts], more).slice(3)).toEqual(["failed", "served", "served"]);
	// One after the other on one connection: those before were served.
	const inTurn = [get(104_001, 5002, "--"), get(104_005, 5002, "--"), get(104_010, 5002, "CD")];
	const one = { clients: ["192.0.2.7:5002"], unnamed: 0 };
	expect(outcomes(inTurn, one)).toEqual(["served", "served", "failed"]);
	expect(outcomes(inTurn.slice(0, 2), one)).toEqual(["served", "failed"]);
});

test("what is remembered of requests that could not be saved: their clients where they are named, and not for ever", () => {
	const connection = (client: string, named: boolean) => ({ client, listen: 8080, named });
	const hopeless = {
		repeated: [connection("[2001:db8::7]:5001", true)],
		begun: [connection("192.0.2.7:5002", true), connection("192.0.2.7:5003", false)],
	};
	const dropped = droppedOf(hopeless, window);
	expect(dropped).toEqual({ ...window, clients: ["2001:db8::7:5001", "192.0.2.7:5002"], unnamed: 1 });
	const many = Array.from({ length: 10_000 }, (_, from) => ({ ...dropped, from }));
	expect(remembered(many)).toEqual(many.slice(-8333));
	expect(remembered(many.slice(0, 2))).toEqual(many.slice(0, 2));
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
