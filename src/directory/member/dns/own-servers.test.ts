import { createSocket } from "node:dgram";
import { once } from "node:events";
import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { isNameServer, OwnServers } from "./own-servers.ts";

/** Name servers of which those answer that are in the set. */
function among(answering: Set<string>) {
	const at = { now: 0, asked: [] as string[] };
	const ask = async (address: string) => {
		at.asked.push(address);
		return answering.has(address);
	};
	const servers = new OwnServers(ask, () => at.now);
	const choose = async (...all: [string, ...string[]]) => {
		at.now += 5000;
		at.asked = [];
		servers.choose(all);
		// All have answered that were asked.
		await turn();
		return servers.choose(all);
	};
	return { at, servers, choose };
}

test("the first is asked while it answers, and no other is looked for", async () => {
	const { at, servers, choose } = among(new Set(["a", "b"]));
	expect(servers.choose(["a", "b"])).toBe("a");
	expect(await choose("a", "b")).toBe("a");
	expect(at.asked).toEqual(["a"]);
	expect(await choose("b", "a")).toBe("b");
});

test("another is asked while those before it are silent, and only then", async () => {
	const answering = new Set(["b", "c"]);
	const { choose } = among(answering);
	expect(await choose("a", "b", "c")).toBe("b");
	answering.delete("b");
	expect(await choose("a", "b", "c")).toBe("c");
	answering.add("a");
	expect(await choose("a", "b", "c")).toBe("a");
	answering.clear();
	expect(await choose("a", "b", "c")).toBe("a");
});

test("one that the host has no more is not asked", async () => {
	const { servers, choose } = among(new Set(["b"]));
	expect(await choose("a", "b")).toBe("b");
	expect(servers.choose(["a", "c"])).toBe("a");
	expect(servers.choose(["c"])).toBe("c");
});

test("they are asked now and then, and one question at a time", async () => {
	const { at, servers } = among(new Set());
	for (at.now = 0; at.now < 10_000; at.now += 1000) {
		servers.choose(["a", "b"]);
		servers.choose(["a", "b"]);
		await turn();
	}
	expect(at.asked).toEqual(["a", "b", "a", "b"]);
	servers.choose(["a"]);
	expect(at.asked).toHaveLength(4);
});

test("one that answers anything at all is there, also to nobody but UDP", async () => {
	const { signal } = new AbortController();
	const socket = createSocket("udp4");
	socket.bind(0, "127.0.0.1");
	await once(socket, "listening");
	const there = async (until: AbortSignal) => await isNameServer("127.0.0.1", until, socket.address().port);
	// Refused: RFC 1035, 4.1.1.
	socket.on("message", (question, { port, address }) => {
		question.writeUInt16BE(0x8105, 2);
		socket.send(question, port, address);
	});
	try {
		expect(await there(signal)).toBe(true);
		socket.removeAllListeners("message");
		expect(await there(AbortSignal.timeout(50))).toBe(false);
	} finally {
		socket.close();
	}
});
