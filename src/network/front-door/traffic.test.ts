import { expect, test } from "vitest";
import { parseTraffic } from "./traffic.ts";

test("a line a client, whichever family it came by", () => {
	const text = [
		"# table: http.8080, type: ipv6, size:10240, used:2",
		"0x55d1: key=::ffff:192.0.2.7 use=0 exp=2591999 conn_cnt=3 http_req_cnt=5 bytes_in_cnt=400 bytes_out_cnt=9000",
		"0x55d2: key=2001:db8::7 use=1 exp=2591000 conn_cnt=1 bytes_in_cnt=1 bytes_out_cnt=2",
		"",
		"something else key=1",
	].join("\n");
	expect(parseTraffic(text)).toEqual([
		{ client: "192.0.2.7", connections: 3, requests: 5, bytesIn: 400, bytesOut: 9000 },
		{ client: "2001:db8::7", connections: 1, requests: 0, bytesIn: 1, bytesOut: 2 },
	]);
	expect(parseTraffic("")).toEqual([]);
});
