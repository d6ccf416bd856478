import { rm } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { BulkheadError } from "../../api/errors.ts";
import { withDeadline } from "../../host/clock.ts";
import { type ConfinedProcess, launchConfined } from "../../host/confine.ts";
import { readIfThere } from "../../host/files.ts";
import { endProcess, isAlive, type ProcessIdentity, waitForEnd } from "../../host/process.ts";
import type { DoorPlan } from "../plan.ts";
import { askAdmin } from "./admin.ts";
import { mostFiles } from "./config.ts";
import { listenAll } from "./listen.ts";
import { inside } from "./names.ts";
import { type DoorFiles, prepareFolders, writeRecord } from "./record.ts";
import { doorCommand, takesUploads, uploadConfigOf } from "./uploads.ts";

/** Milliseconds until a front door that was started must answer. */
const readyWithinMs = 15_000;
const answerWithinMs = 2000;
const uploadsWithinMs = 2000;

/** @returns whether a HAProxy answers on the folder's socket within so many milliseconds */
export async function answers(files: DoorFiles, withinMs = answerWithinMs): Promise<boolean> {
	return await askAdmin(files.admin, "show info", withinMs).then(
		(text) => text.includes("Pid:"),
		() => false,
	);
}

/**
 * Milliseconds. One hangs when it has not answered for so long, and to another question once more not: the daemon itself may
 * have been kept from running meanwhile.
 */
export const patience = { silentForMs: 8000, answersAtLastMs: 2000 } as const;

/** @returns whether a HAProxy answers within the patience that one is owed which users are connected to */
export async function answersAtLast(files: DoorFiles): Promise<boolean> {
	return (await answers(files, patience.silentForMs)) || (await answers(files, patience.answersAtLastMs));
}

/**
 * Starts a plan's HAProxy and waits until it answers.
 * @throws BulkheadError "port-in-use", or "internal" with what HAProxy said; then nothing runs
 */
export async function start(plan: DoorPlan, files: DoorFiles): Promise<ConfinedProcess> {
	await prepareFolders(plan, files);
	const process = await launch(plan, files, quiet);
	try {
		await writeRecord(files, plan, process.identity);
		await untilReady(process.identity, files);
		return process;
	} catch (error) {
		const ended = !isAlive(process.identity);
		await endProcess(process.identity, 0);
		await rm(files.record, { force: true });
		if (ended) await makeItSpeak(plan, files);
		throw await startFailure(plan, files, error);
	}
}

/** Without this, the output would grow with every change of a server's health, for ever. */
const quiet = ["-q"];

/** A quiet HAProxy does not say either why it does not start: only a second try does. */
async function makeItSpeak(plan: DoorPlan, files: DoorFiles): Promise<void> {
	const process = await launch(plan, files, []);
	await waitForEnd(process.identity, 1000);
	await endProcess(process.identity, 0);
}

async function launch(plan: DoorPlan, files: DoorFiles, options: string[]): Promise<ConfinedProcess> {
	const uploads = uploadConfigOf(plan) !== undefined;
	const listeners = await listenAll(plan);
	const takesUploads = uploads ? ([[files.uploads, inside.uploads]] as const) : [];
	let launching: Promise<ConfinedProcess>;
	try {
		// launchConfined spawns before its first await, so no turn of the event loop lies between: see listenAll.
		launching = launchConfined(
			{
				namespace: plan.namespace,
				uid: plan.uid,
				groups: plan.groups,
				writable: [[files.run, inside.run]],
				readable: [[files.config, inside.config], ...takesUploads],
				devices: [],
				workingFolder: inside.run,
				openFiles: mostFiles,
				// Times in HAProxy's answers are local times.
				environment: { TZ: "UTC", PATH: "/usr/sbin:/usr/bin" },
			},
			doorCommand(listeners.descriptors.length, uploads, options),
			{ status: files.status, output: files.output },
			listeners.descriptors,
		);
	} finally {
		listeners.close();
	}
	return await launching.catch(async (error) => {
		throw await startFailure(plan, files, error);
	});
}

async function untilReady(process: ProcessIdentity, files: DoorFiles): Promise<void> {
	await withDeadline("the front door's start", readyWithinMs, async (signal) => {
		while (!(await answers(files))) {
			if (!isAlive(process)) throw new Error("it ended");
			await delay(10, undefined, { signal });
		}
		await untilUploads(files, signal);
	});
}

/** What takes uploads in begins a moment later. Where it does not, they pass as they come, and nobody is kept waiting for it. */
async function untilUploads(files: DoorFiles, signal: AbortSignal): Promise<void> {
	const end = performance.now() + uploadsWithinMs;
	while (performance.now() < end) {
		if (takesUploads(await askAdmin(files.admin, "show stat", answerWithinMs))) return;
		await delay(10, undefined, { signal });
	}
}

async function startFailure(plan: DoorPlan, files: DoorFiles, cause: unknown): Promise<unknown> {
	if (cause instanceof Error && cause.name === "AbortError") return cause;
	const said = (await readIfThere(files.output).catch(() => undefined))?.trim().slice(-500);
	const message = `the front door of ${plan.server} could not be started${said ? `; HAProxy says: ${said}` : ""}`;
	return new BulkheadError("internal", message, { cause });
}
