import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { connect as connectTls, type SecureVersion, type TLSSocket } from "node:tls";

const answersWithinMs = 30_000;

/** What a TLS server showed of itself in one handshake; bytes as hexadecimal digits. */
export interface Handshake {
	/** `ServerHello.random`, 32 bytes: from the server's random generator. */
	random: string;
	/** TLS 1.3: the public half of the key that it made for this connection alone; else undefined. */
	share: string | undefined;
	/** TLS 1.2: name of the key that its session tickets are encrypted with (RFC 5077, section 4; 16 bytes). */
	ticketKey: string | undefined;
	/** SHA-256 of its certificate; a session that is resumed shows none. */
	certificate: string | undefined;
	/** Whether it took the session that it was offered. */
	resumed: boolean;
	/** What another connection can offer it. */
	session: Buffer | undefined;
	/** The answer to `GET /id`. */
	answer: string;
}

/**
 * Connects to 127.0.0.1, asks for `/id`, and reads the answer to its end.
 * @param version the only version of TLS that is offered
 * @param session of an earlier connection, to be resumed
 * @throws Error when the connection fails, or nothing has come after 30 s
 */
export async function shakeHands(port: number, version: SecureVersion, session?: Buffer): Promise<Handshake> {
	const raw = connect(port, "127.0.0.1");
	const tap = new Tap(raw);
	const socket = connectTls({
		socket: tap,
		minVersion: version,
		maxVersion: version,
		// Signed by itself; compared by its digest.
		rejectUnauthorized: false,
		...(session && { session }),
	});
	const signal = AbortSignal.timeout(answersWithinMs);
	const end = () => socket.destroy(new Error(`nothing came over TLS within ${answersWithinMs / 1000} s`));
	signal.addEventListener("abort", end, { once: true });
	try {
		await once(socket, "secureConnect");
		// Of a connection that has ended, nothing is known any more.
		const seen = { ...readServerHello(tap.beginning), ...readSession(socket) };
		return { ...seen, answer: await ask(socket) };
	} finally {
		signal.removeEventListener("abort", end);
		socket.destroy();
		raw.destroy();
	}
}

async function ask(socket: TLSSocket): Promise<string> {
	socket.setEncoding("utf8").write("GET /id HTTP/1.0\r\n\r\n");
	let text = "";
	for await (const chunk of socket) text += chunk;
	return text;
}

function readSession(socket: TLSSocket) {
	// A ticket of TLS 1.3 comes later, and nothing of it is looked at.
	const ticket = socket.getProtocol() === "TLSv1.2" ? socket.getTLSTicket() : undefined;
	return {
		ticketKey: ticket?.subarray(0, 16).toString("hex"),
		certificate: socket.getPeerCertificate().fingerprint256,
		resumed: socket.isSessionReused(),
		session: socket.getSession(),
	};
}

/** Reads a server's first record. RFC 8446, sections 4.1.3 and 5.1; RFC 5246, section 7.4.1.3. */
export function readServerHello(record: Buffer): { random: string; share: string | undefined } {
	const [handshake, serverHello] = [22, 2];
	if (record[0] !== handshake || record[5] !== serverHello) {
		throw new Error(`no ServerHello: ${record.subarray(0, 16).toString("hex")}`);
	}
	// Header of the record (5), of the message (4), version (2).
	const random = record.subarray(11, 43).toString("hex");
	const end = 9 + record.readUIntBE(6, 3);
	// Length and session id, cipher suite (2), compression (1), length of the extensions (2).
	let at = 44 + record.readUInt8(43) + 5;
	while (at + 4 <= end) {
		const [kind, length] = [record.readUInt16BE(at), record.readUInt16BE(at + 2)];
		// key_share: group (2), length (2), key.
		if (kind === 51) return { random, share: record.subarray(at + 8, at + 4 + length).toString("hex") };
		at += 4 + length;
	}
	return { random, share: undefined };
}

/** A connection whose first bytes from the other end are kept. */
class Tap extends Duplex {
	beginning = Buffer.alloc(0);
	private readonly raw: Socket;

	constructor(raw: Socket) {
		super();
		this.raw = raw;
		raw.on("data", (bytes: Buffer) => {
			if (this.beginning.length < 1024) this.beginning = Buffer.concat([this.beginning, bytes]);
			if (!this.push(bytes)) raw.pause();
		});
		raw.on("end", () => this.push(null));
		raw.on("error", (error) => this.destroy(error));
		// After its end what was pushed may still be read.
		raw.on("close", () => raw.readableEnded || this.destroy());
	}

	override _read(): void {
		this.raw.resume();
	}

	override _write(bytes: Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
		this.raw.write(bytes, done);
	}

	override _final(done: () => void): void {
		this.raw.end(done);
	}

	override _destroy(error: Error | null, done: (error: Error | null) => void): void {
		this.raw.destroy();
		done(error);
	}
}
