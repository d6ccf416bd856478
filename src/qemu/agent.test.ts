import type { Socket } from "node:net";
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

/** A guest that runs a program, and says of it what a test tells it to; of each question but the first, as often as it is asked. */
async function guestThatRuns(status: Record<string, unknown>) {
	let asked = "";
	const server = await ScriptedSocket.open((socket) => {
		socket.on("data", (chunk) => {
			asked += chunk.toString("latin1");
			const lines = asked.split("\n");
			asked = lines.pop() ?? "";
			for (const line of lines) {
				const { execute, id } = JSON.parse(line);
				const said = execute === "guest-exec" ? { pid: 7 } : { exited: true, ...status };
				socket.write(`${JSON.stringify({ return: said, id })}\n`);
			}
		});
	});
	const agent = new GuestAgent(server.path, () => {});
	const cleanUp = async () => {
		agent.close();
		await server[Symbol.asyncDispose]();
	};
	return { agent, [Symbol.asyncDispose]: cleanUp };
}
const base64 = (text: string) => Buffer.from(text).toString("base64");

test("what a program wrote comes whole, or is refused at once", async () => {
	const users = (count: number) => "user12345678\n".repeat(count);
	for (const count of [9000, 240_000]) {
		await using guest = await guestThatRuns({ exitcode: 0, "out-data": base64(users(count)) });
		const { output } = await guest.agent.run("/bin/list", [], 20_000);
		expect(output === users(count)).toBe(true);
	}
	await using guest = await guestThatRuns({ exitcode: 0, "out-data": base64(users(250_000)) });
	await expect(guest.agent.run("/bin/list", [], 20_000)).rejects.toThrow(
		"the guest agent's answer to guest-exec-status is larger than 4MiB; it is not taken",
	);
	await using cut = await guestThatRuns({ exitcode: 0, "out-data": base64("a\n"), "out-truncated": true });
	await expect(cut.agent.run("/bin/list", [], 20_000)).rejects.toThrow("wrote more than its agent keeps");
});

test("a program that found something has answered; one that failed says why, on whichever way", async () => {
	const ended = async (exitcode: number, out: string, err = "") => {
		const data = { exitcode, "out-data": base64(out), "err-data": base64(err) };
		await using guest = await guestThatRuns(data);
		return await guest.agent.run("/bin/check", [], 20_000, { findingsCode: 1 });
	};
	expect(await ended(1, "2 errors\n", "a warning")).toEqual({ code: 1, output: "2 errors\n" });
	await expect(ended(1, "", "no such file")).rejects.toThrow("no such file");
	await expect(ended(255, "2 errors", "it broke")).rejects.toThrow("it broke");
	await expect(ended(255, "it is not there\n")).rejects.toThrow("it is not there");
	await expect(ended(255, "")).rejects.toThrow("/bin/check in the guest ended with 255");
});

test("a large answer is taken where one is due, and nowhere else", async () => {
	await using listening = await listen();
	const { ear, server } = listening;
	const idOf = (execute: string) =>
		server.received
			.trim()
			.split("\n")
			.map((line) => JSON.parse(line))
			.find((question) => question.execute === execute)?.id;
	const small = ear.execute("guest-set-time", {}, 20_000);
	const large = ear.execute("guest-exec-status", {}, 20_000, 2 ** 20);
	await server.until((received) => received.split("\n").length > 2);
	const pad = "x".repeat(100_000);
	server.say(`${JSON.stringify({ return: pad, id: idOf("guest-set-time") })}\n`);
	await expect(small).rejects.toThrow("guest-set-time is larger than 64KiB");
	server.say(`${JSON.stringify({ return: pad, id: idOf("guest-exec-status") })}\n`);
	expect(await large).toBe(pad);
});

test.each([
	["many small things", `[${"{},".repeat(300_000)}{}]`],
	["things within each other", `${"[".repeat(300_000)}${"]".repeat(300_000)}`],
])("a large answer of %s is none: reading it would take what the host has", async (_, value) => {
	await using listening = await listen();
	const { ear, server } = listening;
	const asked = ear.execute("guest-exec-status", {}, 20_000, 2 ** 20);
	await server.until((received) => received.includes("\n"));
	const { id } = JSON.parse(server.received);
	server.say(`{"id": "${id}", "return": ${value}}\n`);
	server.say(`{"id": "${id}", "return": "the right one"}\n`);
	expect(await asked).toBe("the right one");
});

test("a file is read that is as long as it may be", async () => {
	await using listening = await listen();
	const { ear, server } = listening;
	const content = "x".repeat(60_000);
	const read = ear.readFile("/x", 64 * 1024, 20_000);
	const answers = [1000, { count: content.length, "buf-b64": base64(content), eof: true }, {}];
	for (const [index, value] of answers.entries()) {
		await server.until((received) => received.split("\n").length > index + 1);
		const { id } = JSON.parse(server.received.trim().split("\n").at(-1) ?? "");
		server.say(`${JSON.stringify({ return: value, id })}\n`);
	}
	expect((await read)?.toString()).toBe(content);
});

test("an answer that comes too late and is too long is not taken for that to another question", async () => {
	await using agent = await listen();
	const { ear, server } = agent;
	const late = ear.execute("guest-exec-status", {}, 50);
	await expect(late).rejects.toThrow("guest-exec-status");
	const next = ear.execute("guest-set-time", {}, 20_000);
	await server.until((received) => received.includes("guest-set-time"));
	const [, { id }] = server.received
		.trim()
		.split("\n")
		.map((line) => JSON.parse(line));
	server.say(`{"return": "${"x".repeat(70_000)}", "id": "c1"}\n{"return": "done", "id": "${id}"}\n`);
	expect(await next).toBe("done");
});

/** As text it is what throws. */
const hostile = '{"toString": 0, "valueOf": 0}';
const deep = "[".repeat(15_000) + "]".repeat(15_000);

test.each([
	["a refusal that says what throws", `"error": {"desc": ${hostile}}`, "the guest agent refuses: unknown"],
	[
		"one that says things within each other",
		`"error": {"desc": ${deep}}`,
		"the guest agent refuses: unknown",
	],
	["a process that is none", `"return": {"pid": ${hostile}}`, "does not say how it runs /bin/list"],
])("%s is a refusal, and no more than that", async (_, said, expected) => {
	await using agent = await listen();
	const { ear, server } = agent;
	const run = expect(ear.run("/bin/list", [], 20_000)).rejects.toThrow(expected);
	await server.until((received) => received.includes("guest-exec"));
	server.say(`{"id": "c1", ${said}}\n`);
	await run;
});

test("a program that was ended by what is no signal has failed", async () => {
	await using guest = await guestThatRuns({ signal: JSON.parse(hostile), "err-data": JSON.parse(hostile) });
	await expect(guest.agent.run("/bin/list", [], 20_000)).rejects.toThrow("ended with signal unknown");
});

test("a file whose content is no text is empty", async () => {
	await using agent = await listen();
	const { ear, server } = agent;
	const read = ear.readFile("/x", 4, 5000);
	for (const [index, value] of ["1000", `{"buf-b64": ${hostile}}`, "{}"].entries()) {
		await server.until((received) => received.split("\n").length > index + 1);
		server.say(`{"return": ${value}, "id": "c${index + 1}"}\n`);
	}
	expect((await read)?.length).toBe(0);
});

test("what cannot be taken in ends the connection, with the reason, and the next question opens another", async () => {
	await using server = await ScriptedSocket.open();
	const heard: number[] = [];
	const agent = new GuestAgent(server.path, (at) => {
		if (heard.push(at) === 1) throw new Error("a defect of ours");
	});
	agent.ask();
	const waiting = expect(agent.execute("guest-set-time", {}, 20_000)).rejects.toThrow(
		"what the guest's agent sent could not be taken in: a defect of ours",
	);
	await server.until(asked(1));
	server.say('{"return": 1}\n');
	await waiting;
	vi.advanceTimersByTime(4000);
	agent.ask();
	await server.until(asked(2));
	expect(server.connections).toBe(2);
	server.say('{"return": 2}\n');
	await until(() => heard.length === 2);
	agent.close();
});

test("a guest that sends lines without end costs nothing but their counting", async () => {
	await using agent = await listen();
	const { ear, server, heard, answer } = agent;
	ear.ask();
	await server.until(asked(1));
	const parse = vi.spyOn(JSON, "parse");
	server.say("\n".repeat(100_000) + "y\n".repeat(100_000));
	answer(1);
	await until(() => heard.length === 1);
	expect(parse.mock.calls.length).toBeLessThan(10);
	parse.mockRestore();
});

test("one that takes long to be read is read again when it has been waited with, and keeps its place", async () => {
	vi.useFakeTimers({ toFake: ["Date", "performance", "setTimeout"], now: 1_000_000 });
	await using server = await ScriptedSocket.open();
	const heard: number[] = [];
	const agent = new GuestAgent(server.path, (at) => {
		heard.push(at);
		vi.setSystemTime(Date.now());
		vi.advanceTimersByTime(1000);
	});
	agent.ask();
	await server.until(asked(1));
	server.say('{"return": 1}\n');
	await until(() => heard.length === 1);
	agent.ask();
	await server.until(asked(2));
	server.say('{"return": 2}\n');
	vi.advanceTimersByTime(9999);
	for (let i = 0; i < 200; i++) await new Promise(setImmediate);
	expect(heard).toHaveLength(1);
	vi.advanceTimersByTime(1);
	await until(() => heard.length === 2);
	agent.close();
});

test("a guest in which nobody reads is not asked on and on: what was not taken from here is not added to", async () => {
	let guest: Socket | undefined;
	await using server = await ScriptedSocket.open((socket) => {
		guest = socket.pause();
	});
	const heard: number[] = [];
	const agent = new GuestAgent(server.path, (at) => void heard.push(at));
	agent.ask();
	await until(() => guest !== undefined);
	for (let i = 0; i < 20_000; i++) {
		vi.advanceTimersByTime(4000);
		agent.ask();
	}
	const last = agent.execute("guest-set-time", {}, 20_000);
	guest?.resume();
	await server.until((received) => received.includes("guest-set-time"));
	const all = questions(server.received).map(({ arguments: { id } }) => id);
	expect(all.length).toBeLessThan(10_000);
	server.say(`{"return": ${all.at(-1)}}\n{"return": {}, "id": "c1"}\n`);
	await last;
	expect(heard).toHaveLength(1);
	vi.advanceTimersByTime(4000);
	agent.ask();
	await server.until(asked(all.length + 1));
	agent.close();
});
