import type { ServicePlan } from "../plan.ts";
import { nameOf } from "./names.ts";

/** What one client did at one published service since HAProxy started, or since it was forgotten: see `trackLines`. */
export interface ClientTraffic {
	/** IPv4 or IPv6 address. */
	client: string;
	connections: number;
	/** HTTP requests; 0 of TCP services. */
	requests: number;
	/** Bytes from the client, and to it. */
	bytesIn: number;
	bytesOut: number;
}

/** Lines of a service's frontend that count by client: the 10,000 that came last, about 2 MB. */
export function trackLines(): string[] {
	return [
		"stick-table type ipv6 size 10k expire 24d store conn_cnt,http_req_cnt,bytes_in_cnt,bytes_out_cnt",
		"tcp-request connection track-sc0 src",
	];
}

/** The command that asks for it. */
export function trafficCommand(service: ServicePlan): string {
	return `show table ${nameOf(service)}`;
}

/** Reads the answer: a heading, and a line a client. Lines of another shape are left out. */
export function parseTraffic(text: string): ClientTraffic[] {
	return text.split("\n").flatMap((line) => {
		const values = new Map(
			[...line.matchAll(/(\w+)=(\S+)/g)].map(([, name = "", value = ""]) => [name, value]),
		);
		const key = values.get("key");
		if (key === undefined || !line.startsWith("0x")) return [];
		const number = (name: string) => Number(values.get(name)) || 0;
		return [
			{
				client: key.replace(/^::ffff:(?=\d+\.)/, ""),
				connections: number("conn_cnt"),
				requests: number("http_req_cnt"),
				bytesIn: number("bytes_in_cnt"),
				bytesOut: number("bytes_out_cnt"),
			},
		];
	});
}
