import { connect, type Socket } from "node:net";
import { withDeadline } from "../host/clock.ts";

/** Numbers of x86-64 registers in the remote protocol (gdb/features/i386/64bit-core.xml). */
const instructionPointer = 16;
const flags = 17;

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
	const address = registers.readBigUInt64LE(instructionPointer * 8);
	const current = registers.readUInt32LE(instructionPointer * 8 + 8);
	await remote.ask(`M${address.toString(16)},2:ebfe`);
	const masked = Buffer.alloc(4);
	masked.writeUInt32LE(current & ~0x200);
	await remote.ask(`P${flags.toString(16)}=${masked.toString("hex")}`);
}

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
			const answer = /\$([^#]*)#[0-9a-f]{2}/.exec(this.received);
			if (answer) {
				this.received = this.received.slice(answer.index + answer[0].length);
				this.socket.write("+");
				if (/^E[0-9a-f]{2}$/.test(answer[1] ?? ""))
					throw new Error(`the gdb server refused ${packet.slice(0, 12)}: ${answer[1]}`);
				return answer[1] ?? "";
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
