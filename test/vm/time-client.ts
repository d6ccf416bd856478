import { createHash, randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";

/** Of RFC 5905, 7.3: as long as a message without anything behind it. */
const messageBytes = 48;
/** From 1900 on, where NTP's era begins, to 1970. */
const secondsTo1970 = 2_208_988_800;

/** A computer of a domain, by whose password answers are signed. */
export interface Computer {
	/** Last part of its SID. */
	rid: number;
	/** MD4 of its password in UTF-16, which OpenSSL keeps with what is out of date: hexadecimal. */
	ntHash: string;
}

export interface ToldTime {
	stratum: number;
	/** Seconds that the server's clock is ahead of this one. */
	aheadSeconds: number;
	/** Whether the answer is signed by the computer's password; null where none was asked for. */
	signed: boolean | null;
}

/**
 * Asks a server for the time once, as Windows does: with SNTP, and as a computer of a domain with MS-SNTP.
 * @throws Error when there is no answer in time, or one to something else
 */
export async function askTime(address: string, computer?: Computer, deadlineMs = 3000): Promise<ToldTime> {
	const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
	try {
		const mark = randomBytes(8);
		const answered = once(socket, "message", { signal: AbortSignal.timeout(deadlineMs) });
		socket.send(question(mark, computer), 123, address);
		const [answer] = (await answered) as [Buffer];
		const now = Date.now() / 1000;
		if (!answer.subarray(24, 32).equals(mark)) throw new Error("that answers another question");
		const told = answer.readUInt32BE(40) + answer.readUInt32BE(44) / 2 ** 32 - secondsTo1970;
		const signed = computer ? isSigned(answer, computer) : null;
		return { stratum: answer.readUInt8(1), aheadSeconds: told - now, signed };
	} finally {
		socket.close();
	}
}

/** RFC 5905, 7.3: version 3, as a client, with a transmit time that comes back. [MS-SNTP] 2.2.1 for what is behind it. */
function question(mark: Buffer, computer: Computer | undefined): Buffer {
	const message = Buffer.alloc(computer ? messageBytes + 20 : messageBytes);
	message.writeUInt8((3 << 3) | 3, 0);
	mark.copy(message, 40);
	if (computer) message.writeUInt32LE(computer.rid, messageBytes);
	return message;
}

/** [MS-SNTP] 3.2.5.1: MD5 of the password's hash and the message. */
function isSigned(answer: Buffer, { rid, ntHash }: Computer): boolean {
	if (answer.length !== messageBytes + 20 || answer.readUInt32LE(messageBytes) !== rid) return false;
	const hash = createHash("md5").update(Buffer.from(ntHash, "hex")).update(answer.subarray(0, messageBytes));
	return hash.digest().equals(answer.subarray(messageBytes + 4));
}
