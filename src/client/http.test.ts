import { chmod, rename, rm, writeFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BulkheadError } from "../api/errors.ts";
import type { Event } from "../api/event.ts";
import { domainSocketPath } from "../api/routes.ts";
import { Client, evidencePath, screenshotPath } from "./http.ts";
import { sampleEvent, sampleServer } from "./samples.ts";
import { StandIn } from "./stand-in.ts";
import { DaemonUnreachable } from "./transport.ts";

let daemon: StandIn;
let client: Client;

beforeEach(async () => {
	daemon = await StandIn.start();
	client = new Client(daemon.socket);
});
afterEach(() => daemon[Symbol.asyncDispose]());

describe("call", () => {
	it("fills the path, sends the body and returns the answer", async () => {
		daemon.answers.stop = ({ server }, { deadlineMs }) =>
			sampleServer({ name: server, reason: `within ${deadlineMs}` });
		const view = await client.call("stop", { server: "a/b c" }, { deadlineMs: 5 });
		expect(view).toEqual(sampleServer({ name: "a/b c", reason: "within 5" }));
		expect(daemon.seen).toEqual(["POST /v1/servers/a%2Fb%20c/stop"]);
	});

	it.each(["", ".", ".."])("refuses %j as a name", async (server) => {
		await expect(client.call("show", { server }, null)).rejects.toMatchObject({ code: "bad-input" });
		expect(daemon.seen).toEqual([]);
	});

	it("turns an error answer back into the error", async () => {
		const problems = [{ field: "servers.dc1.memory", message: "is missing", line: 4, column: 2 }];
		daemon.answers.plan = () => {
			throw new BulkheadError("bad-input", "the site has a mistake", { problems });
		};
		const failed = client.call("plan", {}, { text: "x" });
		await expect(failed).rejects.toBeInstanceOf(BulkheadError);
		await expect(failed).rejects.toMatchObject({
			code: "bad-input",
			message: "the site has a mistake",
			problems,
		});
	});

	it("says so when the answer has another form", async () => {
		daemon.raw = (_request, response) => Boolean(response.end('{"servers":[]}'));
		await expect(client.call("list", {}, null)).rejects.toThrow(/form that this command does not know/);
		daemon.raw = (_request, response) => Boolean(response.end("<html>"));
		await expect(client.call("list", {}, null)).rejects.toThrow(/not JSON/);
		daemon.raw = (_request, response) => Boolean(response.writeHead(502).end("bad gateway"));
		await expect(client.call("list", {}, null)).rejects.toThrow(/answered 502 without saying why/);
	});

	it("says that the daemon is not running", async () => {
		await daemon.stop();
		const message = /daemon is not running.*`bulkhead daemon`.*BULKHEAD_STATE/;
		await expect(client.call("list", {}, null)).rejects.toThrow(message);
		await writeFile(daemon.socket, "").catch(() => {});
		await expect(client.call("list", {}, null)).rejects.toMatchObject({ why: "absent" });
		await expect(new Client(join(daemon.state, "none")).call("list", {}, null)).rejects.toThrow(message);
	});

	it.skipIf(process.getuid?.() === 0)("says who may use the socket", async () => {
		await chmod(daemon.socket, 0);
		await expect(client.call("list", {}, null)).rejects.toThrow(/root, or a member of the group bulkhead/);
	});

	it.skipIf(process.getuid?.() === 0)(
		"tries the one for a domain's group where that is not for us",
		async () => {
			daemon.answers.list = () => [];
			await rename(daemon.socket, domainSocketPath(daemon.socket));
			await writeFile(daemon.socket, "", { mode: 0 });
			expect(await client.call("list", {}, null)).toEqual([]);
			await rm(domainSocketPath(daemon.socket));
			await expect(client.call("list", {}, null)).rejects.toMatchObject({ why: "forbidden" });
		},
	);

	it("says that the socket's path is too long", async () => {
		await expect(new Client(`/${"x".repeat(120)}`).call("list", {}, null)).rejects.toThrow(/shorter path/);
	});

	it("says that the daemon broke off, before and within the answer", async () => {
		daemon.raw = (request) => Boolean(request.socket.destroy());
		await expect(client.call("list", {}, null)).rejects.toMatchObject({ why: "broke-off" });
		daemon.raw = (request, response) => {
			response.write("[", () => request.socket.destroy());
			return true;
		};
		await expect(client.call("list", {}, null)).rejects.toBeInstanceOf(DaemonUnreachable);
	});

	it("has a deadline, for the head and for the body of the answer", async () => {
		daemon.raw = () => true;
		const options = { deadlineMs: 30 };
		await expect(client.call("list", {}, null, options)).rejects.toThrow(/GET \/v1\/servers within 30 ms/);
		daemon.raw = (_request, response) => response.write("[") || true;
		await expect(client.call("list", {}, null, options)).rejects.toThrow(/within 30 ms/);
	});

	it("ends with the caller's own reason when that aborts", async () => {
		daemon.raw = (_request, response) => response.write("[") || true;
		const reason = new Error("enough");
		const stop = new AbortController();
		setTimeout(() => stop.abort(reason), 20);
		await expect(client.call("list", {}, null, { signal: stop.signal })).rejects.toBe(reason);
		await expect(client.call("list", {}, null, { signal: stop.signal })).rejects.toBe(reason);
	});
});

describe("bytes", () => {
	it("reads a file, up to a size", async () => {
		daemon.raw = (_request, response) => Boolean(response.end(Buffer.from([1, 0, 255])));
		expect([...(await client.bytes(screenshotPath("dc1")))]).toEqual([1, 0, 255]);
		const tooLarge = client.bytes(evidencePath("dc1-7", "console.log"), { largest: 2 });
		await expect(tooLarge).rejects.toThrow(/larger than 2B/);
		expect(daemon.seen[1]).toBe("GET /v1/incidents/dc1-7/evidence/console.log");
	});
});

describe("apply", () => {
	const body = { text: "name: a", fingerprint: "f", confirmed: false };
	const step = { type: "step", subject: "server é", text: "boots", fraction: 0.5 } as const;
	const done = { type: "done", subject: "server é" } as const;

	/** Answers in pieces of one byte. */
	function answer(...lines: unknown[]): void {
		daemon.raw = async (_request, response) => {
			for (const byte of Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(""))) {
				response.write(Buffer.from([byte]));
			}
			response.end();
			return true;
		};
	}

	it("tells of the progress, and returns the last word", async () => {
		answer(step, done, { type: "finished", text: "done" });
		const told: unknown[] = [];
		expect(await client.apply(body, (progress) => told.push(progress))).toBe("done");
		expect(told).toEqual([step, done]);
	});

	it("throws what failed", async () => {
		answer(step, { type: "failed", error: { code: "disk-full", message: "no room" } });
		await expect(client.apply(body, () => {})).rejects.toMatchObject({
			code: "disk-full",
			message: "no room",
		});
		answer({ type: "failed", error: { code: "toString", message: "no room" } });
		await expect(client.apply(body, () => {})).rejects.toMatchObject({ code: "internal" });
	});

	it("throws when the stream ends before the task", async () => {
		answer(step);
		await expect(client.apply(body, () => {})).rejects.toThrow(/ended before the task did/);
	});
});

describe("console", () => {
	it("carries bytes both ways, also those that come with the answer, and outlives the handshake's deadline", async () => {
		daemon.onUpgrade = (request, stream) => {
			expect(request.headers.upgrade).toBe("bulkhead-console");
			stream.write("HTTP/1.1 101 x\r\nconnection: upgrade\r\nupgrade: bulkhead-console\r\n\r\nlogin: ");
			stream.pipe(stream);
		};
		await using stream = await client.console("dc1", { deadlineMs: 60 });
		expect(String(await next(stream))).toBe("login: ");
		await delay(120);
		stream.write("root");
		expect(String(await next(stream))).toBe("root");
	});

	it("throws what the daemon says instead", async () => {
		daemon.onUpgrade = (_request, stream) => {
			const text = '{"error":{"code":"not-allowed-now","message":"dc1 is stopped"}}';
			stream.end(`HTTP/1.1 409 x\r\ncontent-length: ${text.length}\r\n\r\n${text}`);
		};
		await expect(client.console("dc1")).rejects.toThrow("dc1 is stopped");
	});
});

function next(stream: NodeJS.ReadableStream): Promise<unknown> {
	return new Promise((resolve) => stream.once("data", resolve));
}

describe("events", () => {
	let open: ServerResponse | undefined;
	const asked: (string | undefined)[][] = [];

	function serve(...batches: Event[][]): void {
		asked.length = 0;
		daemon.raw = (request, response) => {
			asked.push([request.url, request.headers["last-event-id"] as string | undefined]);
			response.writeHead(200, { "content-type": "text/event-stream" });
			response.write(": hello\n\n");
			for (const event of batches.shift() ?? []) {
				response.write(`id: ${event.id}\ndata: ${JSON.stringify(event)}\n\n`);
			}
			open = response;
			return true;
		};
	}

	it("follows, across a daemon that is replaced, without missing or repeating", async () => {
		serve([sampleEvent(5), sampleEvent(6)], [sampleEvent(6), sampleEvent(7)], [sampleEvent(8)]);
		const stop = new AbortController();
		const ids: number[] = [];
		for await (const { id } of client.events(4, stop.signal, { pauseMs: 10 })) {
			ids.push(id);
			if (id === 6) {
				await daemon.stop();
				setTimeout(() => daemon.listen(), 50);
			}
			if (id === 7) open?.end();
			if (id === 8) stop.abort();
		}
		expect(ids).toEqual([5, 6, 7, 8]);
		expect(asked).toEqual([
			["/v1/events?after=4", undefined],
			["/v1/events?after=6", "6"],
			["/v1/events?after=7", "7"],
		]);
	});

	it("throws when there is no daemon at the beginning, or it stays away", async () => {
		serve([sampleEvent(1)]);
		const { signal } = new AbortController();
		const follow = client.events(undefined, signal, { pauseMs: 5, patienceMs: 30 });
		await expect(
			(async () => {
				for await (const _ of follow) await daemon.stop();
			})(),
		).rejects.toMatchObject({ why: "absent" });
		const again = client.events(undefined, signal)[Symbol.asyncIterator]();
		await expect(again.next()).rejects.toMatchObject({ why: "absent" });
	});

	it("ends without an error when it is aborted while it waits", async () => {
		serve([]);
		const iterator = client.events(0, AbortSignal.timeout(40))[Symbol.asyncIterator]();
		expect(await iterator.next()).toEqual({ done: true, value: undefined });
	});
});
