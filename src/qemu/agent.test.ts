import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { GuestAgent } from "./agent.ts";
import { ScriptedSocket } from "./testing/scripted.ts";

/** Only the clocks are made up: sockets need the real timers. */
beforeEach(() => void vi.useFakeTimers({ toFake: ["Date", "performance"], now: 1_000_000 }));
afterEach(() => void vi.useRealTimers());

const questions = (received: string) =>
	[...received.matchAll(/\xff(\{[^\n]*\})\n/g)].map((match) => JSON.parse(match[1] ?? ""));
const asked = (count: number) => (received: string) => questions(received).length >= count;

async function until(done: () => boolean): Promise<void> {
	while (!done()) await new Promise(setImmediate);
}

async function listen() {
	const server = await ScriptedSocket.open();
	const heard: number[] = [];
	const ear = new GuestAgent(server.path, (at) => void heard.push(at));
	const answer = (id: unknown) =>
		server.say(Buffer.from(`\xff{"return": ${JSON.stringify(id)}}\n`, "latin1"));
	const cleanUp = async () => {
		ear.close();
		await server[Symbol.asyncDispose]();
	};
	return { server, heard, ear, answer, [Symbol.asyncDispose]: cleanUp };
}

test("asks one question at a time, and hears the answer", async () => {
	await using agent = await listen();
	const { ear, server, heard, answer } = agent;
	ear.ask();
	ear.ask();
	await server.until(asked(1));
	answer(1);
	await until(() => heard.length > 0);
	expect(heard).toEqual([1_000_000]);
	ear.ask();
	await server.until(asked(2));
	expect(questions(server.received).map(({ arguments: { id } }) => id)).toEqual([1, 2]);
	expect(questions(server.received)[0]?.execute).toBe("guest-sync-delimited");
});

test("a question that stays without an answer is asked anew", async () => {
	await using agent = await listen();
	const { ear, server } = agent;
	ear.ask();
	await server.until(asked(1));
	vi.advanceTimersByTime(3999);
	ear.ask();
	vi.advanceTimersByTime(1);
	ear.ask();
	await server.until(asked(2));
	expect(questions(server.received)).toHaveLength(2);
});

test("so it is when the host's clock has been set back meanwhile", async () => {
	await using agent = await listen();
	const { ear, server } = agent;
	ear.ask();
	await server.until(asked(1));
	vi.setSystemTime(0);
	vi.advanceTimersByTime(4000);
	ear.ask();
	await server.until(asked(2));
});

test("a guest that always answers late is heard all the same", async () => {
	await using agent = await listen();
	const { ear, server, heard, answer } = agent;
	for (let id = 1; id <= 5; id++) {
		vi.advanceTimersByTime(4000);
		ear.ask();
		await server.until(asked(id));
		// The answer to the question before arrives when the next one has been asked.
		if (id > 1) answer(id - 1);
		await until(() => heard.length === id - 1);
	}
	expect(heard.at(-1)).toBe(1_020_000);
});

test.each<[string, string]>([
	["an answer to no question", '{"return": 77}\n'],
	["another thing than a number", '{"return": {"id": 1}}\n'],
	["an error", '{"error": {"class": "GenericError", "desc": "no"}}\n'],
	["garbage", "hello\n\n\n{\n"],
	["half a megabyte without a line end", "x".repeat(500_000)],
])("%s is no answer, and the right one is heard after it", async (_, said) => {
	await using agent = await listen();
	const { ear, server, heard, answer } = agent;
	ear.ask();
	await server.until(asked(1));
	server.say(`${said}`);
	server.say("\n");
	answer(1);
	await until(() => heard.length === 1);
});

test("the same answer twice is one answer", async () => {
	await using agent = await listen();
	const { ear, server, heard, answer } = agent;
	ear.ask();
	await server.until(asked(1));
	answer(1);
	answer(1);
	ear.ask();
	await until(() => heard.length === 1);
	ear.ask();
	await server.until(asked(2));
	answer(2);
	await until(() => heard.length === 2);
});

test("connects anew when the connection was lost", async () => {
	await using agent = await listen();
	const { ear, server, heard, answer } = agent;
	ear.ask();
	await server.until(asked(1));
	server.hangUp();
	while (server.connections < 2) {
		vi.advanceTimersByTime(4000);
		ear.ask();
		await new Promise(setImmediate);
	}
	await server.until((received) => questions(received).length >= 2);
	answer(questions(server.received).at(-1)?.arguments.id);
	await until(() => heard.length === 1);
});

test("nobody there is no error", async () => {
	const ear = new GuestAgent("/nonexistent/agent.sock", () => {});
	expect(() => ear.ask()).not.toThrow();
	await new Promise(setImmediate);
	ear.close();
	expect(() => ear.ask()).not.toThrow();
});

test("reads a file of the guest's, up to a limit, and closes it", async () => {
	await using agent = await listen();
	const { ear, server } = agent;
	const commands = () =>
		server.received
			.split("\n")
			.filter((line) => line.includes("guest-file"))
			.map((line) => JSON.parse(line));
	const reply = async (count: number, value: unknown) => {
		await server.until((received) => received.split("guest-file").length > count);
		server.say(`${JSON.stringify({ return: value, id: commands()[count - 1].id })}\n`);
	};
	const read = ear.readFile("C:\\x", 4, 5000);
	await reply(1, 1000);
	await reply(2, { count: 6, "buf-b64": Buffer.from("abcdef").toString("base64"), eof: true });
	await reply(3, {});
	expect((await read)?.toString()).toBe("abcd");
	expect(commands().map(({ execute }) => execute)).toEqual([
		"guest-file-open",
		"guest-file-read",
		"guest-file-close",
	]);
});

test("a file that is not there is none", async () => {
	await using agent = await listen();
	const { ear, server } = agent;
	const read = ear.readFile("C:\\x", 4, 5000);
	await server.until((received) => received.includes("guest-file-open"));
	const { id } = JSON.parse(server.received.split("\n")[0] ?? "");
	server.say(`${JSON.stringify({ error: { class: "GenericError", desc: "No such file" }, id })}\n`);
	expect(await read).toBeUndefined();
});

test("the disks that the guest sees, as far as it says what they are", async () => {
	await using agent = await listen();
	const { ear, server } = agent;
	const ask = async (answer: unknown) => {
		const count = server.received.split("guest-get-disks").length;
		const disks = ear.disks(5000);
		await server.until((received) => received.split("guest-get-disks").length > count);
		const { id } = JSON.parse(server.received.trim().split("\n").at(-1) ?? "");
		server.say(`${JSON.stringify({ return: answer, id })}\n`);
		return await disks;
	};
	const vda = { name: "/dev/vda", partition: false, address: { "bus-type": "virtio", serial: "was-ide " } };
	const hostile = { name: 1, partition: 0, address: { "bus-type": ["virtio"], serial: "x".repeat(5000) } };
	const all = [vda, { ...vda, partition: true }, { name: "/dev/dm-0", partition: false }, hostile, null, "x"];
	expect(await ask(all)).toEqual([
		{ bus: "virtio", serial: "was-ide" },
		{ bus: null, serial: "x".repeat(100) },
	]);
	expect(await ask(Array.from({ length: 300 }, () => vda))).toHaveLength(100);
	for (const nothing of [null, {}, "disks"]) expect(await ask(nothing)).toEqual([]);
});
