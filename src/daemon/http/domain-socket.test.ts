import { existsSync } from "node:fs";
import { chmod, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CommandError, run } from "../../host/command.ts";
import { DomainSocket } from "./domain-socket.ts";

/** Asks as somebody without any right but that of one group. */
const ask = `use IO::Socket::UNIX; my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "$!\\n";
print $s "GET / HTTP/1.1\\r\\nhost: x\\r\\nconnection: close\\r\\n\\r\\n"; print <$s>`;
const gid = 3_001_105;

describe.runIf(process.getuid?.() === 0)("the socket for a group of a domain", () => {
	const api = createServer((_, response) => void response.end("known"));
	let folder: string;
	let path: string;
	let socket: DomainSocket;

	beforeEach(async () => {
		folder = await mkdtemp(join(tmpdir(), "bulkhead-"));
		await chmod(folder, 0o711);
		path = join(folder, "domain.sock");
		socket = new DomainSocket(path);
		await socket.serve(api);
	});
	afterEach(async () => {
		await socket.close(0);
		await rm(folder, { recursive: true, force: true });
	});

	const askAs = async (group: number) => {
		const who = [
			"--reuid=65534",
			`--regid=65534`,
			`--groups=${group}`,
			"--no-new-privs",
			"--bounding-set=-all",
		];
		const asked = run("setpriv", [...who, "perl", "-e", ask, path], { deadlineMs: 10_000 });
		return await asked.then(
			({ stdout }) => stdout,
			(error: unknown) => {
				if (error instanceof CommandError) return error.stderr.trim();
				throw error;
			},
		);
	};

	test("answers its members as the usual one does, and nobody else", async () => {
		await socket.open(gid);
		expect(await stat(path)).toMatchObject({ uid: 0, gid });
		expect(await readdir(folder)).toEqual(["domain.sock"]);
		expect(await askAs(gid)).toMatch(/^HTTP\/1.1 200 OK.*known/s);
		expect(await askAs(gid + 1)).toBe("Permission denied");
		await socket.open(gid + 1);
		expect(await askAs(gid)).toBe("Permission denied");
		expect(await askAs(gid + 1)).toContain("known");
		await socket.close();
		expect(await askAs(gid + 1)).toBe("No such file or directory");
	});

	test("is seen to be gone, or another's, and made anew", async () => {
		expect(await socket.isOpen(gid)).toBe(false);
		await socket.open(gid);
		expect([await socket.isOpen(gid), await socket.isOpen(gid + 1)]).toEqual([true, false]);
		await chmod(path, 0o666);
		expect(await socket.isOpen(gid)).toBe(false);
		await rm(path);
		expect(await socket.isOpen(gid)).toBe(false);
		await socket.open(gid);
		expect(await askAs(gid)).toContain("known");
	});

	test("cuts off who is there when it is closed", async () => {
		await socket.open(gid);
		const there = connect(path);
		await new Promise((resolve) => there.once("connect", resolve));
		const gone = new Promise((resolve) => there.once("close", resolve));
		await socket.close(50);
		await gone;
	});

	test("lets nobody in any more at once, and whoever has ended it has all the time for its answer", async () => {
		const asked = Promise.withResolvers<ServerResponse>();
		const slow = createServer((_, response) => asked.resolve(response));
		await socket.serve(slow);
		await socket.open(gid);
		const there = connect(path);
		let said = "";
		there.on("data", (chunk) => {
			said += String(chunk);
		});
		const gone = new Promise((resolve) => there.once("close", resolve));
		there.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
		const response = await asked.promise;
		const cut = await socket.shut();
		expect(await askAs(gid)).toBe("No such file or directory");
		await socket.close(0);
		response.end("left");
		await expect.poll(() => said).toContain("left");
		expect(there.destroyed).toBe(false);
		cut(0);
		await gone;
	});

	test("is not made where its users cannot come, and what an earlier daemon left is taken away", async () => {
		await chmod(folder, 0o700);
		await writeFile(path, "");
		await expect(socket.open(gid)).rejects.toThrow(`as root: chmod o+x ${folder}`);
		await socket.serve(api);
		expect(existsSync(path)).toBe(false);
	});
});
