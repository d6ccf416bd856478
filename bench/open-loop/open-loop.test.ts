import { createServer, type RequestListener } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { Load } from "./load.ts";
import { countOutcomes, latencyOf, outcomeOf } from "./outcome.ts";
import type { LoadPlan, RequestKind, RequestRecord } from "./request.ts";

/** The instrument itself: what it says of servers whose faults are known. */

const text: RequestKind = { weight: 1, method: "GET", path: "/?{id}", answer: { matches: "^whole\\n$" } };
const page: RequestKind = {
	weight: 1,
	method: "GET",
	path: "/page",
	answer: { same: true, length: 100_000 },
};
const post: RequestKind = { ...text, method: "POST", path: "/post?{id}", sends: 300_000 };
const body = Buffer.alloc(100_000, "x");

async function serve(listener: RequestListener, keepAliveMs = 60_000): Promise<number> {
	const server = createServer({ keepAliveTimeout: keepAliveMs, keepAliveTimeoutBuffer: 0 }, listener);
	return await listen(server);
}

async function listen(server: ReturnType<typeof createTcpServer>): Promise<number> {
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	onTestFinished(() => {
		server.close();
		if ("closeAllConnections" in server) (server as ReturnType<typeof createServer>).closeAllConnections();
	});
	return (server.address() as AddressInfo).port;
}

async function load(
	port: number,
	ms: number,
	plan: Partial<LoadPlan> = {},
): Promise<readonly RequestRecord[]> {
	await using load = await Load.start({
		host: "127.0.0.1",
		port,
		rate: 200,
		connections: 10,
		kinds: [text],
		seed: 1,
		name: "test",
		deadlineMs: 3000,
		keepText: 100,
		...plan,
	});
	await delay(ms);
	return await load.stop();
}

test("sends at its rate over its connections, and knows good answers", async () => {
	const sockets = new Set();
	const port = await serve((request, response) => {
		sockets.add(request.socket);
		request.resume().on("end", () => {
			if (request.url === "/page") response.setHeader("Content-Length", body.length).end(body);
			else response.end("whole\n");
		});
	});
	const records = await load(port, 1000, { kinds: [text, page, post] });
	expect(countOutcomes(records)).toMatchObject({ ok: records.length });
	expect(records.length).toBeGreaterThan(150);
	expect(records.length).toBeLessThan(260);
	expect(new Set(records.map(({ path }) => path.slice(0, 5)))).toEqual(new Set(["/?tes", "/page", "/post"]));
	expect(records.find(({ path }) => path === "/page")).toMatchObject({
		received: 100_000,
		announced: 100_000,
	});
	expect(sockets.size).toBeLessThanOrEqual(11);
});

test("counts latency from when a request was due, also while all connections are busy", async () => {
	let stalledUntil: number | undefined;
	const port = await serve((_, response) => {
		// From the first request on: the generator takes its time to start.
		stalledUntil ??= Date.now() + 1200;
		setTimeout(() => response.end("whole\n"), Math.max(0, stalledUntil - Date.now()));
	});
	const records = await load(port, 2000, { connections: 2 });
	expect(countOutcomes(records)).toMatchObject({ ok: records.length });
	// Two connections were enough to stall all: each of these waited, though only two had been sent.
	expect(records.filter(({ due, end }) => end - due > 200).length).toBeGreaterThan(100);
	expect(latencyOf(records).worst).toBeGreaterThan(800);
});

test("tells an error before the response from one in it", async () => {
	const port = await serve((request, response) => {
		if (request.url?.endsWith("1")) request.socket.destroy();
		else if (request.url?.endsWith("2")) {
			response.writeHead(200, { "Content-Length": 1000 }).write("half", () => request.socket.destroy());
		} else if (request.url?.endsWith("3")) {
			response.writeHead(200).write("half", () => request.socket.resetAndDestroy());
		} else response.end("whole\n");
	});
	const records = await load(port, 700);
	const of = (digit: string) => new Set(records.filter(({ id }) => id.endsWith(digit)).map(outcomeOf));
	expect(of("1")).toEqual(new Set(["error before the response"]));
	expect(of("2")).toEqual(new Set(["error in the response"]));
	expect(of("3")).toEqual(new Set(["error in the response"]));
	expect(of("4")).toEqual(new Set(["ok"]));
});

test("finds a response that is short and ends as if it were whole", async () => {
	const port = await listen(
		createTcpServer((socket) => {
			socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nwho"));
			socket.on("error", () => {});
		}),
	);
	const records = await load(port, 300);
	expect(new Set(records.map(outcomeOf))).toEqual(new Set(["short without an error"]));
});

test("finds a page of other bytes, and a page of fewer", async () => {
	let asked = 0;
	const port = await serve((_, response) => {
		const answer = ++asked % 3 === 1 ? body : asked % 3 === 2 ? Buffer.alloc(100_000, "y") : body.subarray(1);
		response.setHeader("Content-Length", answer.length).end(answer);
	});
	const counts = countOutcomes(await load(port, 600, { kinds: [page], rate: 50 }));
	expect(counts.ok).toBeGreaterThan(5);
	expect(counts["other bytes"]).toBeGreaterThan(5);
	expect(counts["short without an error"]).toBeGreaterThan(5);
});

test("a connection that was closed while it was idle fails no request", async () => {
	const port = await serve((_, response) => response.end("whole\n"), 1);
	// On a busy host the end of a connection is read late, or comes late: a request that is sent right then fails as it would
	// for any client. 200 ms lie between two requests of a connection.
	const records = await load(port, 2000, { rate: 10, connections: 2 });
	expect(records.length).toBeGreaterThan(10);
	expect(countOutcomes(records)).toMatchObject({ ok: records.length });
});

test("never repeats a request, and knows status codes", async () => {
	const seen = new Map<string, number>();
	const port = await serve((request, response) => {
		const url = request.url ?? "";
		seen.set(url, (seen.get(url) ?? 0) + 1);
		if (seen.size % 4 === 0) request.socket.destroy();
		else response.writeHead(seen.size % 4 === 1 ? 502 : seen.size % 4 === 2 ? 503 : 200).end("whole\n");
	});
	const counts = countOutcomes(await load(port, 700));
	expect(Math.max(...seen.values())).toBe(1);
	for (const outcome of ["502", "503", "ok", "error before the response"] as const)
		expect(counts[outcome]).toBeGreaterThan(10);
});

test("gives up a request without an end", async () => {
	const port = await serve(() => {});
	const records = await load(port, 100, { deadlineMs: 500 });
	expect(records.length).toBeGreaterThan(10);
	expect(new Set(records.map(({ error }) => error))).toEqual(new Set(["no end within 500 ms"]));
});
