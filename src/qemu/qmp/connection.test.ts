import { expect, test, vi } from "vitest";
import { DeadlineError } from "../../host/clock.ts";
import { ScriptedSocket } from "../testing/scripted.ts";
import { QmpConnection, type QmpEvent } from "./connection.ts";
import { QmpError, QmpGone } from "./errors.ts";

const greeting =
	'{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}}, "capabilities": ["oob"]}}\r\n';

/** A QEMU that greets and answers `qmp_capabilities`, and everything else as `answers` says. */
async function qemu(answers: (execute: string, id: number) => string | undefined = () => undefined) {
	return await ScriptedSocket.open((socket) => {
		socket.write(greeting);
		let partial = "";
		socket.on("data", (chunk) => {
			const lines = (partial + chunk.toString()).split("\n");
			partial = lines.pop() ?? "";
			for (const line of lines) {
				const { execute, id } = JSON.parse(line);
				const reply = execute === "qmp_capabilities" ? `{"return": {}, "id": ${id}}` : answers(execute, id);
				if (reply) socket.write(`${reply}\r\n`);
			}
		});
	});
}

class Ear {
	readonly events: QmpEvent[] = [];
	readonly disconnects: string[] = [];
	heard = 0;
	private readonly gone = Promise.withResolvers<void>();
	onEvent = (event: QmpEvent) => void this.events.push(event);
	onHeard = () => void this.heard++;
	onDisconnect = (why: string) => {
		this.disconnects.push(why);
		this.gone.resolve();
	};
	disconnected = async () => await this.gone.promise;
}

test("greets, negotiates and asks", async () => {
	await using server = await qemu((_, id) => `{"return": {"status": "running"}, "id": ${id}}`);
	const connection = await QmpConnection.open(server.path, new Ear());
	expect(await connection.execute("query-status", {})).toEqual({ status: "running" });
	connection.close();
});

test("what an event says is taken in to its last digit, also where a number of JavaScript has no room for it", async () => {
	await using server = await qemu();
	const ear = new Ear();
	const connection = await QmpConnection.open(server.path, ear);
	server.say(
		'{"timestamp": {"seconds": 1764200000, "microseconds": 123456}, "event": "GUEST_PANICKED", "data": {"action": "pause", "info": {"type": "hyper-v", "arg1": 209, "arg2": 18446735291779260016, "arg3": 9007199254740993, "arg4": 0, "arg5": 18446744073709551615}}}\r\n',
	);
	await vi.waitFor(() => expect(ear.events).toHaveLength(1));
	expect(ear.events[0]?.data).toEqual({
		action: "pause",
		info: {
			...{ type: "hyper-v", arg1: 209, arg2: 18446735291779260016n, arg3: 9007199254740993n },
			...{ arg4: 0, arg5: 18446744073709551615n },
		},
	});
	connection.close();
});

test("answers that come in another order reach their questions", async () => {
	const waiting: number[] = [];
	await using server = await qemu((_, id) => {
		waiting.push(id);
		if (waiting.length < 2) return undefined;
		return waiting
			.toReversed()
			.map((late) => `{"return": {"asked": ${late}}, "id": ${late}}`)
			.join("\n");
	});
	const connection = await QmpConnection.open(server.path, new Ear());
	const both = [connection.execute("query-status", {}), connection.execute("query-status", {})];
	expect(await Promise.all(both)).toEqual([{ asked: 2 }, { asked: 3 }]);
	connection.close();
});

test("an error of QEMU is told with its words", async () => {
	await using server = await qemu(
		(_, id) => `{"error": {"class": "GenericError", "desc": "No space"}, "id": ${id}}`,
	);
	const connection = await QmpConnection.open(server.path, new Ear());
	const failure = await connection.execute("stop", {}).catch((error: unknown) => error);
	expect(failure).toBeInstanceOf(QmpError);
	expect(failure).toMatchObject({ kind: "GenericError", message: "QEMU refused stop: No space" });
	connection.close();
});

test("an answer without a return and without an error is an error", async () => {
	await using server = await qemu((_, id) => `{"id": ${id}, "error": null}`);
	const connection = await QmpConnection.open(server.path, new Ear());
	await expect(connection.execute("stop", {})).rejects.toBeInstanceOf(QmpError);
	connection.close();
});

test("a question without an answer ends at its deadline, and the next one is answered", async () => {
	await using server = await qemu((execute, id) =>
		execute === "query-status" ? `{"return": {"status": "running"}, "id": ${id}}` : undefined,
	);
	const connection = await QmpConnection.open(server.path, new Ear());
	await expect(connection.execute("stop", {}, 20)).rejects.toBeInstanceOf(DeadlineError);
	expect(await connection.execute("query-status", {})).toEqual({ status: "running" });
	connection.close();
});

test("an answer after its deadline is dropped", async () => {
	let late = "";
	await using server = await qemu((execute, id) => {
		if (execute === "query-status") return `${late}\n{"return": {}, "id": ${id}}`;
		late = `{"return": {}, "id": ${id}}`;
		return undefined;
	});
	const ear = new Ear();
	const connection = await QmpConnection.open(server.path, ear);
	await expect(connection.execute("stop", {}, 20)).rejects.toBeInstanceOf(DeadlineError);
	await connection.execute("query-status", {});
	expect(ear.disconnects).toEqual([]);
	connection.close();
});

test("when QEMU goes, every question is rejected once, and then the listener is told once", async () => {
	await using server = await qemu();
	const order: string[] = [];
	const ear = new Ear();
	const listener = {
		onEvent: ear.onEvent,
		onDisconnect: (why: string) => {
			order.push("disconnect");
			ear.onDisconnect(why);
		},
	};
	const connection = await QmpConnection.open(server.path, listener);
	const rejected = ["stop", "cont"].map((command) =>
		connection.execute(command as "stop", {}).catch((error: unknown) => {
			order.push(`${command}: ${error instanceof QmpGone}`);
		}),
	);
	await server.until((received) => received.includes("cont"));
	server.hangUp();
	await ear.disconnected();
	await Promise.all(rejected);
	connection.close();
	expect(order.toSorted()).toEqual(["cont: true", "disconnect", "stop: true"]);
	expect(ear.disconnects).toEqual(["QEMU closed its monitor"]);
});

test("nothing can be asked after the end", async () => {
	await using server = await qemu();
	const ear = new Ear();
	const connection = await QmpConnection.open(server.path, ear);
	connection.close();
	connection.close();
	expect(ear.disconnects).toEqual(["closed by us"]);
	await expect(connection.execute("stop", {})).rejects.toBeInstanceOf(QmpGone);
});

test("events are passed on with their data, whole or in pieces", async () => {
	await using server = await qemu();
	const ear = new Ear();
	const connection = await QmpConnection.open(server.path, ear);
	const event = '{"event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-shutdown"}}\r\n';
	server.say(event.slice(0, 20));
	server.say(`${event.slice(20)}\n\n{"event": "STOP"}\r\n`);
	await vi.waitFor(() => expect(ear.events).toHaveLength(2));
	expect(ear.events.map(({ event, data }) => [event, data])).toEqual([
		["SHUTDOWN", { guest: true, reason: "guest-shutdown" }],
		["STOP", {}],
	]);
	expect(ear.heard).toBeGreaterThan(0);
	connection.close();
});

test("a letter that is cut in two arrives whole", async () => {
	await using server = await qemu();
	const ear = new Ear();
	const connection = await QmpConnection.open(server.path, ear);
	const bytes = Buffer.from('{"event": "WATCHDOG", "data": {"action": "ü"}}\n');
	const cut = bytes.indexOf(0xc3) + 1;
	server.say(bytes.subarray(0, cut));
	await vi.waitFor(() => expect(ear.heard).toBe(3));
	server.say(bytes.subarray(cut));
	await vi.waitFor(() => expect(ear.events[0]?.data).toEqual({ action: "ü" }));
	connection.close();
});

test.each([
	["garbage", "hello\n"],
	["a number", "7\n"],
	["half an object", '{"event": \n'],
])("%s ends the connection", async (_, said) => {
	await using server = await qemu();
	const ear = new Ear();
	const connection = await QmpConnection.open(server.path, ear);
	const waiting = expect(connection.execute("stop", {})).rejects.toBeInstanceOf(QmpGone);
	server.say(said);
	await waiting;
	await ear.disconnected();
	expect(ear.disconnects).toEqual(["QEMU sent something that is not QMP"]);
});

test("nothing is heard any more of what stands behind garbage", async () => {
	await using server = await qemu();
	const ear = new Ear();
	await QmpConnection.open(server.path, ear);
	server.say('hello\n{"event": "STOP"}\n');
	await ear.disconnected();
	expect(ear.events).toEqual([]);
});

test("a line without end ends the connection", async () => {
	await using server = await qemu();
	const ear = new Ear();
	await QmpConnection.open(server.path, ear);
	server.say(Buffer.alloc(17 * 2 ** 20, 0x61));
	await ear.disconnected();
	expect(ear.disconnects).toEqual(["QEMU sent a line without end"]);
});

test("answers that nobody asked for are dropped", async () => {
	await using server = await qemu((_, id) => `{"return": 1, "id": 999}\n{"return": {}, "id": ${id}}`);
	const ear = new Ear();
	const connection = await QmpConnection.open(server.path, ear);
	expect(await connection.execute("stop", {})).toEqual({});
	connection.close();
});

test("a QEMU that does not greet is given up at the deadline", async () => {
	await using server = await ScriptedSocket.open();
	const ear = new Ear();
	await expect(QmpConnection.open(server.path, ear, 20)).rejects.toThrow(/no greeting within 20 ms/);
	expect(ear.disconnects).toEqual(["no greeting within 20 ms"]);
});

test("a QEMU that greets and then says no more is given up at the deadline", async () => {
	await using server = await ScriptedSocket.open((socket) => void socket.write(greeting));
	await expect(QmpConnection.open(server.path, new Ear(), 20)).rejects.toBeInstanceOf(QmpGone);
});

test("nobody there", async () => {
	const ear = new Ear();
	await expect(QmpConnection.open("/nonexistent/qmp.sock", ear)).rejects.toBeInstanceOf(QmpGone);
	expect(ear.disconnects).toHaveLength(1);
});

test("the transcript leaves out the routine, and keeps what matters", async () => {
	await using server = await qemu((_, id) => `{"return": {"status": "running"}, "id": ${id}}`);
	const connection = await QmpConnection.open(server.path, new Ear());
	await connection.execute("query-status", {});
	await connection.execute("screendump", { filename: "/session/screen.ppm", format: "ppm" });
	await connection.execute("screendump", { filename: "/session/screen.png", format: "png" });
	await connection.execute("cont", {});
	const text = connection.transcript.text();
	expect(text).not.toContain("query-status");
	expect(text).not.toContain("screen.ppm");
	expect(text).toContain("screen.png");
	expect(text.match(/→ .*cont/g)).toHaveLength(1);
	connection.close();
});

/** As text or as a number it is what throws. */
const hostile = '{"toString": 0, "valueOf": 0}';
const deep = "[".repeat(100_000) + "]".repeat(100_000);

test.each([hostile, deep])("an answer to a question that is no number (%.40s) is dropped", async (said) => {
	await using server = await qemu((_, id) => `{"return": 1, "id": ${said}}\n{"return": {}, "id": ${id}}`);
	const connection = await QmpConnection.open(server.path, new Ear());
	expect(await connection.execute("stop", {})).toEqual({});
	connection.close();
});

test("so is one to a list with the question's number", async () => {
	await using server = await qemu((_, id) => `{"return": 1, "id": [${id}]}\n{"return": {}, "id": ${id}}`);
	const connection = await QmpConnection.open(server.path, new Ear());
	expect(await connection.execute("stop", {})).toEqual({});
	connection.close();
});

test.each([hostile, deep])("a refusal whose words are none (%.40s) is a refusal", async (said) => {
	await using server = await qemu((_, id) => `{"error": {"class": ${said}, "desc": ${said}}, "id": ${id}}`);
	const connection = await QmpConnection.open(server.path, new Ear());
	const failure = await connection.execute("stop", {}).catch((error: unknown) => error);
	expect(failure).toBeInstanceOf(QmpError);
	expect(failure).toMatchObject({ kind: "unknown", message: "QEMU refused stop: unknown" });
	connection.close();
});

test("what cannot be taken in ends the connection, with the reason", async () => {
	await using server = await qemu();
	const ear = new Ear();
	const onEvent = () => {
		throw new Error("a defect of ours");
	};
	const connection = await QmpConnection.open(server.path, { onEvent, onDisconnect: ear.onDisconnect });
	const waiting = expect(connection.execute("stop", {})).rejects.toBeInstanceOf(QmpGone);
	server.say('{"event": "STOP"}\n');
	await waiting;
	await ear.disconnected();
	expect(ear.disconnects).toEqual(["what QEMU sent could not be taken in: a defect of ours"]);
});
