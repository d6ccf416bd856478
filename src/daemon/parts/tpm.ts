import { existsSync, readFileSync } from "node:fs";
import { access, chmod, chown, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { systemClock, withDeadline } from "../../host/clock.ts";
import { type Confinement, launchConfined, launchedProcess } from "../../host/confine.ts";
import { readUntrustedTail } from "../../host/files.ts";
import { endProcess, isAlive, type ProcessIdentity } from "../../host/process.ts";
import { inside } from "../../qemu/hardware.ts";
import type { ServerPaths, SessionPaths } from "../../store/paths.ts";

const startsWithinMs = 5000;

/** Where the TPM finds its state; a process is known by it as this session's. */
const stateInside = (session: string) => `/tpm/${session}`;

/**
 * The session's TPM 2.0: a process beside QEMU (Debian's swtpm), which ends with it. Its state is kept like a disk.
 * @param session its name, as `dc1#7`
 * @param around the confinement of the session that it is for
 * @param sockets the host's folder of the session's sockets
 * @throws Error in words; the process is in the session's control group, and goes with that
 */
export async function startTpm(
	session: string,
	around: Pick<Confinement, "namespace" | "uid" | "groups">,
	{ tpm }: ServerPaths,
	files: SessionPaths,
	sockets: string,
): Promise<void> {
	await access("/usr/bin/swtpm").catch((cause) => {
		throw new Error("a TPM needs the package swtpm; apt install swtpm, or say `tpm: false`", { cause });
	});
	await mkdir(tpm, { recursive: true, mode: 0o700 });
	await chown(tpm, around.uid, around.uid);
	await chmod(tpm, 0o700);
	const confinement: Confinement = {
		...around,
		writable: [
			[tpm, stateInside(session)],
			[sockets, inside.sockets],
		],
		readable: [],
		devices: [],
		workingFolder: stateInside(session),
	};
	const command = ["swtpm", "socket", "--tpm2", "--terminate"];
	command.push(
		"--tpmstate",
		`dir=${stateInside(session)},mode=0600`,
		"--ctrl",
		`type=unixio,path=${inside.tpm},mode=0600`,
	);
	const { identity } = await launchConfined(confinement, command, {
		status: files.tpmLaunch,
		output: files.tpmOutput,
	});
	await withDeadline("the TPM", startsWithinMs, async (signal) => {
		while (!existsSync(join(sockets, "tpm.sock"))) {
			if (!isAlive(identity)) throw new Error(`swtpm says: ${await wordsOf(files)}`);
			await systemClock.sleep(5, signal);
		}
	});
}

/** Ends what is left of a session's TPM. @returns false when it does not end */
export async function endTpm(session: string, files: SessionPaths): Promise<boolean> {
	const process = processOf(session, files);
	return !process || (await endProcess(process, 0));
}

/** @returns what tells whether the session's TPM lives; undefined for a session that has none */
export function watchTpm(session: string, files: SessionPaths): (() => boolean) | undefined {
	if (!existsSync(files.tpmLaunch)) return undefined;
	const process = processOf(session, files);
	return () => process !== undefined && isAlive(process);
}

function processOf(session: string, { tpmLaunch }: SessionPaths): ProcessIdentity | undefined {
	const process = launchedProcess(tpmLaunch);
	if (!process) return undefined;
	// The pid may belong to another process by now.
	return commandOf(process).includes(`\0dir=${stateInside(session)},`) ? process : undefined;
}

function commandOf({ pid }: ProcessIdentity): string {
	try {
		return readFileSync(`/proc/${pid}/cmdline`, "utf8");
	} catch {
		return "";
	}
}

async function wordsOf({ tpmOutput }: SessionPaths): Promise<string> {
	return (await readUntrustedTail(tpmOutput, 500))?.toString("utf8").trim() || "nothing";
}
