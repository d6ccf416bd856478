import { expect, test } from "vitest";
import { doorPlan } from "../testing/door-plan.ts";
import { hopelessOf } from "./hopeless.ts";

/** A line of `show sess` as HAProxy 2.6.12 writes it. */
function session(
	changed: Partial<Record<"src" | "fe" | "be" | "an" | "state" | "rc" | "proto" | "age", string>>,
): string {
	const all = { src: "192.0.2.7:45330", fe: "http.8080", be: "repeat.http.8080", an: "1400000", state: "8" };
	const { src, fe, be, an, state, rc, proto, age } = {
		...{ ...all, rc: "0", proto: "tcpv4", age: "0s" },
		...changed,
	};
	return [
		`0x55c03c331130: proto=${proto} src=${src} fe=${fe} be=${be} srv=guest ts=00 epoch=0 age=${age} calls=3 rate=1`,
		"cpu=0 lat=0 rq[f=48c48000h,i=0,an=8000h,rx=,wx=,ax=]",
		`rp[f=80400000h,i=0,an=${an}h,rx=9m59s,wx=,ax=] scf=[8,0h,fd=10] scb=[${state},11h,fd=13] exp=9m59s`,
		`rc=${rc} c_exp=`,
	].join(" ");
}

const client = { client: "192.0.2.7:45330", listen: 8080, named: true };
const begun = { repeated: [], begun: [client] };
const begunOnTheHop = { repeated: [], begun: [{ ...client, named: false }] };
const repeated = { repeated: [client], begun: [] };
const none = { repeated: [], begun: [] };

test.each([
	["waits for the response", {}, none],
	["the response has a length or chunks", { an: "4000000" }, none],
	["the response has neither", { an: "00" }, begun],
	["is asked again", { rc: "1" }, repeated],
	["was asked again, and the response has begun", { rc: "1", an: "4000000" }, none],
	["waits for a connection", { state: "5", rc: "7", an: "00" }, none],
	["the response is complete", { state: "10", an: "4000000" }, none],
	["not repeatable, waits", { be: "hop.http.8080" }, none],
	["not repeatable, the response has begun", { be: "hop.http.8080", an: "00" }, begunOnTheHop],
	["an upload, the response has begun", { be: "upload.http.8080", an: "00" }, begunOnTheHop],
	["the inner hop", { proto: "unix_stream", src: "unix:1", fe: "once.http.8080", an: "00" }, none],
	[
		"the inner hop, waited for its connection",
		{ proto: "unix_stream", src: "unix:1", fe: "once.http.8080", rc: "3" },
		none,
	],
	["TCP", { fe: "sql.14330", be: "guest.sql.14330", an: "00" }, none],
	["no address", { src: ")or(:1", an: "00" }, none],
])("%s", (_, changed, expected) => {
	expect(hopelessOf(`${session(changed)}\n\n`, doorPlan)).toEqual(expected);
});

test.each([
	["came after the failure before: it has waited for its connection", "9s", 11_000, none],
	["may have come right before it", "10s", 10_500, repeated],
	["came long before it", "2m3s", 60_000, repeated],
	["hours are told with their minutes only", "1h2m", 3_750_000, repeated],
	["came after it, minutes ago", "1m3s", 65_000, none],
	["the failure before is not known", "3s", undefined, repeated],
	["an age that HAProxy does not write", "x", 1_000_000, repeated],
])("retried: %s", (_, age, lastFailureMs, expected) => {
	expect(hopelessOf(session({ rc: "1", age }), doorPlan, lastFailureMs)).toEqual(expected);
});

test("addresses are written as ss takes them", () => {
	const text = [
		session({ proto: "tcpv6", src: "2001:db8::7:51000", an: "00" }),
		session({ proto: "tcpv6", src: "::ffff:192.0.2.7:51001", an: "00" }),
	].join("\n");
	expect(hopelessOf(text, doorPlan).begun.map(({ client }) => client)).toEqual([
		"[2001:db8::7]:51000",
		"[::ffff:192.0.2.7]:51001",
	]);
});
