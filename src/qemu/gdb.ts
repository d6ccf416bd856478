import { connect, type Socket } from "node:net";
import { withDeadline } from "../host/clock.ts";

/** Places in the answer to `g`, in bytes: 16 registers of 8 bytes come first (gdb/features/i386/64bit-core.xml). */
const instructionPointer = 16 * 8;
const flags = 17 * 8;
const interruptFlag = 0x200;

/**
 * Makes a guest hang for real, through QEMU's gdb server: on every processor interrupts are switched off, and the code
 * it is about to run becomes a jump to itself (EB FE). It works on every operating system and needs nothing in the guest.
 */
export async function hangProcessors(path: string): Promise<void> {
	await withDeadline("the gdb server", 5000, async (signal) => {
		const socket = connect(path);
		signal.addEventListener("abort", () => socket.destroy());
		try {
			const remote = new Remote(socket);
			for (const thread of await threads(remote)) await hangOne(remote, thread);
			await remote.ask("D");
		} finally {
			socket.destroy();
		}
	});
}

async function threads(remote: Remote): Promise<string[]> {
	const found: string[] = [];
	for (
		let answer = await remote.ask("qfThreadInfo");
		answer.startsWith("m");
		answer = await remote.ask("qsThreadInfo")
	) {
		found.push(...answer.slice(1).split(","));
	}
	return found;
}

async function hangOne(remote: Remote, thread: string): Promise<void> {
	await remote.ask(`Hg${thread}`);
	const registers = Buffer.from(await remote.ask("g"), "hex");
	const address = registers.readBigUInt64LE(instructionPointer);
	const current = registers.readUInt32LE(flags);
	await remote.ask(`M${address.toString(16)},2:ebfe`);
	registers.writeUInt32LE(current & ~interruptFlag, flags);
	await remote.ask(`G${registers.toString("hex")}`);
}

const nextPacket = /\$([^#]*)#[0-9a-f]{2}/;

/** The gdb remote serial protocol, as far as it is needed: $packet#checksum, answered by + and a packet. */
class Remote {
	private readonly socket: Socket;
	private received = "";
	private wake: () => void = () => {};
	private failure: Error | undefined;

	constructor(socket: Socket) {
		this.socket = socket;
		socket.setEncoding("latin1");
		socket.on("data", (chunk) => {
			this.received += String(chunk);
			this.wake();
		});
		socket.on("error", (error) => this.fail(error));
		socket.on("close", () => this.fail(new Error("the gdb server closed the connection")));
	}

	async ask(packet: string): Promise<string> {
		const sum = [...packet].reduce((all, char) => (all + char.charCodeAt(0)) % 256, 0);
		this.socket.write(`$${packet}#${sum.toString(16).padStart(2, "0")}`);
		for (;;) {
			const answer = nextPacket.exec(this.received);
			if (answer) {
				this.received = this.received.slice(answer.index + answer[0].length);
				this.socket.write("+");
				// The stop that connecting causes is reported whenever it is done: T and S are never our answer.
				if (/^[TS]/.test(answer[1] ?? "")) continue;
				return accepted(packet, answer[1] ?? "");
			}
			if (this.failure) throw this.failure;
			const { promise, resolve } = Promise.withResolvers<void>();
			this.wake = resolve;
			await promise;
		}
	}

	private fail(error: Error): void {
		this.failure ??= error;
		this.wake();
	}
}

/** An empty answer says that the packet is not known, E and two digits that it failed. */
function accepted(packet: string, answer: string): string {
	if (answer !== "" && !/^E[0-9a-f]{2}$/.test(answer)) return answer;
	throw new Error(`the gdb server refused ${packet.slice(0, 12)}: ${answer || "not known"}`);
}
