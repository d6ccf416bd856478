import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open, rm, stat } from "node:fs/promises";
import { digestOf } from "../../host/digest.ts";
import { tarEnd, tarHeader, tarPadding } from "../../host/tar.ts";
import type { StoredServer } from "../../store/servers.ts";
import { ovfOf } from "../../templates/export/ovf.ts";
import { cpusOf, guestOf, hardwareOf, memoryOf } from "../resolve.ts";
import type { ExportedFile } from "./file.ts";

const digestMs = 3_600_000;
type OnStep = (text: string, fraction: number) => void;

/** Puts the description of a server and its disks into one archive: first the description, then the checksums. */
export async function packOva(
	server: StoredServer,
	disks: readonly ExportedFile[],
	to: string,
	onStep: OnStep,
	signal: AbortSignal,
): Promise<void> {
	const members = await Promise.all(
		disks.map(async ({ name, to: path, bus, virtualBytes }) => ({
			path,
			file: `${server.name}-${name}.vmdk`,
			fileBytes: (await stat(path)).size,
			virtualBytes,
			bus,
		})),
	);
	const { platform, nic } = hardwareOf(server, {
		session: 0,
		accelerator: "tcg",
		memory: { kind: "own" },
		generation: server.installed.uuid,
	});
	const description = Buffer.from(
		ovfOf({
			name: server.name,
			guest: guestOf(server),
			firmware: platform.firmware,
			memoryBytes: memoryOf(server),
			cpus: cpusOf(server),
			disks: members,
			card: nic,
		}),
	);
	onStep("reckoning checksums", 0);
	const manifest = await manifestOf(`${server.name}.ovf`, description, members, signal);
	await using undo = new AsyncDisposableStack();
	await using archive = await open(to, "wx", 0o600);
	undo.defer(async () => await rm(to, { force: true }));
	const now = new Date();
	const put = async (name: string, content: Buffer) =>
		await archive.appendFile(
			Buffer.concat([tarHeader(name, content.length, now), content, tarPadding(content.length)]),
		);
	await put(`${server.name}.ovf`, description);
	await put(`${server.name}.mf`, manifest);
	for (const [i, { file, path, fileBytes }] of members.entries()) {
		onStep("putting the archive together", i / members.length);
		await archive.appendFile(tarHeader(file, fileBytes, now));
		await append(archive, path, signal);
		await archive.appendFile(tarPadding(fileBytes));
	}
	await archive.appendFile(tarEnd());
	await archive.sync();
	undo.move();
}

async function manifestOf(
	name: string,
	description: Buffer,
	members: readonly { file: string; path: string; fileBytes: number }[],
	signal: AbortSignal,
): Promise<Buffer> {
	const lines = [`SHA256(${name})= ${createHash("sha256").update(description).digest("hex")}`];
	for (const { file, path, fileBytes } of members) {
		const digest = await digestOf(
			path,
			"sha256",
			{ offset: 0, size: fileBytes },
			{ deadlineMs: digestMs, signal },
		);
		lines.push(`SHA256(${file})= ${digest}`);
	}
	return Buffer.from(`${lines.join("\n")}\n`);
}

async function append(archive: FileHandle, path: string, signal: AbortSignal): Promise<void> {
	for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20, signal }))
		await archive.appendFile(chunk as Buffer);
}
