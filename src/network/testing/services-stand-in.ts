import { createServer, type Socket } from "node:net";

/**
 * Servers for tests of health checks, each on a port of its own: `SERVICE:PORT` answers in the shape of a real one,
 * `silent:PORT` takes connections and says nothing. LDAP's longer form is what X.690 8.1.3.5 allows.
 */
const hex = (bytes: string) => Buffer.from(bytes, "hex");
const greets = (text: string | Buffer, reply = "") => {
	return (socket: Socket) => {
		socket.write(text);
		socket.on("data", () => (reply === "" ? undefined : socket.end(reply)));
	};
};
/** Answers late, as a server that is busy. */
const repliesLate = (reply: string | Buffer, afterMs: number) => (socket: Socket) =>
	socket.once("data", () => setTimeout(() => socket.end(reply), afterMs));
const replies = (reply: Buffer) => (socket: Socket) => socket.on("data", () => socket.write(reply));
const greetsLast = (text: string) => (socket: Socket) => socket.once("data", () => socket.end(text));
const tdsResponse = (encryption: string) =>
	`0401002b0000010000001a000601002000010200210001030022000004002200 01ff0f0007d00000${encryption}0000`.replace(
		" ",
		"",
	);
const mysqlGreeting = `0a352e352e352d31302e31312e31392d4d617269614442${"00".repeat(77)}`;

const servers: Record<string, (socket: Socket) => void> = {
	silent: () => {},
	ssh: greets("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10\r\n"),
	smtp: greets("220 x.test ESMTP Exim 4.96\r\n", "221 x.test closing connection\r\n"),
	"smtp-late": (socket) => setTimeout(() => greets("220 x.test ESMTP\r\n", "221\r\n")(socket), 12_000),
	// Postfix' postscreen: a client that does not wait for the end of the greeting is none that it lets in.
	"smtp-waits": (socket) => {
		socket.write("220-x.test ESMTP\r\n");
		socket.once("data", () => console.log(socket.bytesWritten < 20 ? "hasty client" : "client that waits"));
		setTimeout(() => socket.write("220 x.test go on\r\n"), 500);
	},
	"ssh-warns": greets("For staff only\r\nSSH-2.0-x\r\n"),
	"ssh-full": (socket) => socket.end("Not allowed at this time\r\n"),
	"smtp-refuses": (socket) => socket.end("554 no SMTP service here\r\n"),
	imap: greets("* OK [CAPABILITY IMAP4rev1] Dovecot ready.\r\n", "* BYE Logging out\r\na OK Logout\r\n"),
	ldap: replies(hex("300c02010161070a010004000400")),
	"ldap-long": replies(hex("3084000000100201016184000000070a010004000400")),
	// Samba 4.17, MIT Kerberos 1.20 and a name server that refuses, as far as anybody looks.
	smb: replies(hex("000000cafe534d42400000000000000000000100010000000000000000000000")),
	kerberos: replies(hex("000000737e71306fa003020105a10302011ea411180f3230323631313233")),
	dns: replies(hex("001162688185000100000000000000000200 01".replace(" ", ""))),
	mysql: greets(hex(`${(mysqlGreeting.length / 2).toString(16)}000000${mysqlGreeting}`)),
	"mysql-refuses": (socket) => socket.end(hex("09000000ff6a04486f7374203f")),
	// MS-TDS, 4.2: VERSION, ENCRYPTION, INSTOPT, THREADID (empty) and MARS; SQL Server 2019, as far as anybody looks.
	"sql-server": replies(hex(tdsResponse("00"))),
	// ENCRYPT_REQ: it talks to those who encrypt, and to nobody else.
	"sql-server-insists": replies(hex(tdsResponse("03"))),
	// One of TDS 8.0 alone closes the connection (error 17819); whether with a reset is not documented.
	"sql-server-closes": (socket) => socket.once("data", () => socket.end()),
	"sql-server-resets": (socket) => socket.once("data", () => socket.resetAndDestroy()),
	"sql-server-slow": repliesLate(hex(tdsResponse("00")), 5000),
	// MS-RDPBCGR, 2.2.1.2: a confirm alone (Windows Server 2003), one that chose CredSSP, and one with a failure.
	"remote-desktop-2003": replies(hex("0300000b06d00000123400")),
	"remote-desktop": replies(hex("030000130ed00000123400021f080002000000")),
	"remote-desktop-refuses": (socket) =>
		socket.once("data", () => socket.end(hex("030000130ed000001234000300080005000000"))),
	"remote-desktop-slow": repliesLate(hex("0300000b06d00000123400"), 5000),
	// An application that is being started, and http.sys where no site has the name.
	"iis-slow": repliesLate("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 12_000),
	iis: greetsLast("HTTP/1.1 404 Not Found\r\nServer: Microsoft-HTTPAPI/2.0\r\n\r\n"),
	"iis-stopped": greetsLast("HTTP/1.1 503 Service Unavailable\r\nServer: Microsoft-HTTPAPI/2.0\r\n\r\n"),
	"postgresql-starts": (socket) =>
		socket.on("data", () => socket.end("E\0\0\0\x28SFATAL\0VFATAL\0C57P03\0Mstarting up\0\0")),
};

for (const [name = "", port] of process.argv.slice(2).map((each) => each.split(":"))) {
	// A check that has heard enough may reset the connection.
	const server = createServer((socket) => servers[name]?.(socket.on("error", () => socket.destroy())));
	server.listen(Number(port), "127.0.0.1");
}
console.log("ready");
