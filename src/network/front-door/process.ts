import { rm } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { BulkheadError } from "../../api/errors.ts";
import type { Felt } from "../../api/incident.ts";
import { endProcess, isAlive, type ProcessIdentity } from "../../host/process.ts";
import type { DoorPlan, ServicePlan } from "../plan.ts";
import { type Activity, activityOf } from "./activity.ts";
import { askAdmin } from "./admin.ts";
import { configOf, ringName } from "./config.ts";
import { closeIdleCommand, drainCommand, releaseCommand, withGuest } from "./drain.ts";
import {
	blameServer,
	type Dropped,
	droppedOf,
	feltOf,
	parseRing,
	parseSessions,
	remembered,
} from "./felt.ts";
import { type Answer, Freshness } from "./freshness.ts";
import { type Health, healthOf, pauseCommand, resumeCommand } from "./health.ts";
import { destroy, hopelessOf } from "./hopeless.ts";
import { answers, answersAtLast, start } from "./launch.ts";
import { canWiden, portInUse, portIsFree } from "./listen.ts";
import { checkedOf, healthNameOf, trafficNamesOf } from "./names.ts";
import {
	type DoorFiles,
	type DoorRecord,
	doorFiles,
	findUnrecorded,
	isAsPlanned,
	readRecord,
} from "./record.ts";
import { type ClientTraffic, parseTraffic, trafficCommand } from "./traffic.ts";

/** Milliseconds. */
const answerWithinMs = 2000;
const feltWithinMs = 10_000;
const dropWithinMs = 1000;
const drainLookMs = 5;
/** Milliseconds in which HAProxy has seen that a client's connection is gone. */
const noticedWithinMs = 200;

/** A HAProxy of a server's. It lives on when this process dies; the next one adopts it. */
export class FrontDoor {
	readonly plan: DoorPlan;
	readonly #process: ProcessIdentity;
	readonly #ended: Promise<number> | undefined;
	readonly #files: DoorFiles;
	/** Lost with this process: then an incident of that moment counts them as given up by their clients. */
	#dropped: readonly Dropped[] = [];
	/** When the connections to a failed session were looked at last. */
	#failedAt: number | undefined;
	readonly #freshness = new Freshness();
	#stopping = false;

	/** When what the checks had found was forgotten last, milliseconds of `performance.now()`. */
	#forgottenAt = Number.NEGATIVE_INFINITY;

	private constructor(plan: DoorPlan, process: ProcessIdentity, ended?: Promise<number>) {
		this.plan = plan;
		this.#process = process;
		this.#ended = ended;
		this.#files = doorFiles(plan.folder);
	}

	/**
	 * Adopts the front door that an earlier process started by the same plan, or starts a new one in its place.
	 * @param held leaves users held back where they are: with one that is new they are, see `drain()`; `release()` lets them through
	 * @param hangs whether the one that runs is known to hang: it is not waited for, as it is else before it counts as one that does
	 * @throws BulkheadError "port-in-use", before anything is stopped where that can be seen before;
	 *   "bad-input" for a health path that is none; "internal" when HAProxy would not start, with what it said;
	 *   Error or DeadlineError when HAProxy does not answer
	 */
	static async ensure(plan: DoorPlan, held = false, hangs = false): Promise<FrontDoor> {
		configOf(plan);
		const files = doorFiles(plan.folder);
		const door =
			(hangs ? undefined : await FrontDoor.#adopt(plan, files)) ?? (await FrontDoor.#begin(plan, files));
		if (!held) await door.release();
		return door;
	}

	static async #adopt(plan: DoorPlan, files: DoorFiles): Promise<FrontDoor | undefined> {
		const old = await readRecord(files);
		if (!old || !(await isAsPlanned(old, plan, files)) || !(await answersAtLast(files))) return undefined;
		return new FrontDoor(plan, old.process);
	}

	static async #begin(plan: DoorPlan, files: DoorFiles): Promise<FrontDoor> {
		const old = await readRecord(files);
		// One that nobody knew of holds ports that would look like another program's.
		if (!old) await endOld(await findUnrecorded(files));
		await refuseTakenPorts(plan, old);
		await endOld(old?.process);
		const { identity, ended } = await start(plan, files);
		return new FrontDoor(plan, identity, ended);
	}

	/** Ends whatever front door a folder tells of; for one whose server is gone. */
	static async endIn(folder: string): Promise<void> {
		const files = doorFiles(folder);
		await endOld((await readRecord(files))?.process ?? (await findUnrecorded(files)));
		await rm(files.record, { force: true });
	}

	get pid(): number {
		return this.#process.pid;
	}

	alive(): boolean {
		return isAlive(this.#process);
	}

	/** @returns whether it answers within so many milliseconds; one that lives and does not may hang for good */
	async answers(withinMs: number): Promise<boolean> {
		return await answers(this.#files, withinMs);
	}

	/**
	 * Calls back, once, when the front door ends without having been stopped. Only for one that this process
	 * started: the kernel does not tell of others, ask `alive()`.
	 */
	onEnd(callback: (exitCode: number) => void): void {
		this.#ended?.then(
			(code) => {
				if (!this.#stopping) callback(code);
			},
			() => {},
		);
	}

	/** @returns what the health checks last found of each service; "unknown" where HAProxy does not say */
	async health(): Promise<Record<string, Health>> {
		return (await this.look()).health;
	}

	/** The same, and how fresh it is of those that are up; to be asked twice a second or more often. */
	async look(): Promise<{ health: Record<string, Health>; answers: Record<string, Answer> }> {
		const stat = await this.#ask("show stat").catch(() => "");
		const [services, now] = [checkedOf(this.plan), performance.now()];
		const health = healthOf(stat, services, now - this.#forgottenAt);
		return { health, answers: this.#freshness.takeIn(stat, services, health, now) };
	}

	/** A new session begins: services count as down until a check of it has passed. */
	async forgetHealth(): Promise<void> {
		this.#forgottenAt = performance.now();
		const commands = checkedOf(this.plan).map(
			(service) => `set server ${healthNameOf(service)}/guest health down`,
		);
		await this.#tell(commands.join("; "));
	}

	/**
	 * Stops the health checks, so that only users' connections go to a server that sleeps; `health()` says "unknown".
	 * @throws Error or DeadlineError when HAProxy does not answer
	 */
	async pauseHealth(): Promise<void> {
		await this.#tell(pauseCommand(checkedOf(this.plan)));
	}

	/**
	 * Lets paused health checks go on; their services are "down" until a check has passed. Does nothing to checks that
	 * are not paused, so call it for each front door that was adopted and whose server does not sleep.
	 * @throws Error or DeadlineError when HAProxy does not answer
	 */
	async resumeHealth(): Promise<void> {
		const commands = resumeCommand(await this.#ask("show stat"), checkedOf(this.plan));
		if (commands !== "") this.#forgottenAt = performance.now();
		await this.#tell(commands);
	}

	/**
	 * How much the server is used, for "idle for 30 minutes": nothing is current, and the total has not changed.
	 * @throws Error or DeadlineError when HAProxy does not answer
	 */
	async activity(): Promise<Activity> {
		return activityOf(await this.#ask("show stat"), this.plan);
	}

	/**
	 * Lets nothing new to the server: requests and connections that come now wait, without an error, until `release()`.
	 * Those that are with the server go on to their end; this waits for it, POST and TCP included. After true nothing is
	 * with the server, and its connections may be cut; after false nothing was ended, and the caller releases.
	 * What waits is given up after the service's holding time, as when the server is dead.
	 * @param deadlineMs milliseconds to wait for the end of what is with the server
	 * @returns whether the server is left alone now
	 * @throws Error or DeadlineError when HAProxy does not answer, the signal's reason; release also then
	 */
	async drain(deadlineMs: number, signal?: AbortSignal): Promise<boolean> {
		const end = performance.now() + deadlineMs;
		await this.hold();
		return await this.untilLeft(end - performance.now(), signal);
	}

	/** Begins what `drain()` does, without waiting for anybody. @throws Error or DeadlineError when HAProxy does not answer */
	async hold(): Promise<void> {
		await this.#tell(drainCommand(this.plan));
	}

	/** Waits, after `hold()`, until nothing is with the server any more; see `drain()`. */
	async untilLeft(deadlineMs: number, signal?: AbortSignal): Promise<boolean> {
		const end = performance.now() + deadlineMs;
		for (;;) {
			const { busy, idle } = withGuest(await this.#ask("show stat"), this.plan);
			if (busy + idle === 0) return true;
			if (performance.now() >= end) return false;
			if (busy === 0) await this.#tell(closeIdleCommand(this.plan));
			await delay(drainLookMs, undefined, signal ? { signal } : {});
		}
	}

	/**
	 * Ends what `drain()` began: what waits goes to the server with its next attempt, within 100 ms. Does nothing to a
	 * front door that is not drained, so call it for each that was adopted: its drain may have been an earlier daemon's.
	 * @throws Error or DeadlineError when HAProxy does not answer
	 */
	async release(): Promise<void> {
		await this.#tell(releaseCommand(this.plan));
	}

	async #ask(command: string): Promise<string> {
		return await askAdmin(this.#files.admin, command, answerWithinMs);
	}

	/** For commands that HAProxy answers with nothing, or with what it did not like. */
	async #tell(commands: string): Promise<void> {
		if (commands === "") return;
		const answer = (await this.#ask(commands)).trim();
		if (answer !== "") throw new Error(`the front door answers "${answer.slice(0, 200)}" to "${commands}"`);
	}

	/**
	 * Ends the requests that are with the server at this moment and cannot be saved; to be called right before the
	 * connections to the server are cut. Their clients see a reset:
	 * - those that have, or may have, already been asked again once: one of them may be what brings the server down, and asked again
	 *   and again it would do so to every session;
	 * - those whose response has begun and does not tell its length: the client could take what it got for the whole.
	 * All others are left to be asked again, or to their 502. Takes one question to HAProxy, 3 ms with 50 requests and
	 * 30 ms with 1000, and 20 ms and more for `ss` when there are any.
	 * @returns how many there were of each
	 * @throws Error or DeadlineError when HAProxy does not answer, CommandError
	 */
	async dropHopeless(): Promise<{ repeated: number; begun: number }> {
		const from = Date.now();
		const text = await askAdmin(this.#files.admin, "show sess", dropWithinMs);
		const before = this.#failedAt;
		this.#failedAt = from;
		const hopeless = hopelessOf(text, this.plan, before === undefined ? before : from - before);
		const { repeated, begun } = hopeless;
		await destroy([...repeated, ...begun], dropWithinMs);
		if (repeated.length + begun.length > 0) {
			const dropped = droppedOf(hopeless, { from, to: Date.now() + noticedWithinMs });
			this.#dropped = remembered([...this.#dropped, dropped]);
		}
		return { repeated: repeated.length, begun: begun.length };
	}

	/**
	 * What users felt between two moments, milliseconds since the Unix epoch. Ask a second or two after the server
	 * is back: those that still wait are counted as neither held nor failed.
	 * @throws Error or DeadlineError when HAProxy does not answer
	 */
	async felt(fromMs: number, toMs: number): Promise<Felt> {
		const ask = async (command: string) => await askAdmin(this.#files.admin, command, feltWithinMs);
		// In this order none is counted twice; one that ends between the two answers is not counted.
		const ended = parseRing(await ask(`show events ${ringName}`));
		const sessions = parseSessions(await ask("show sess all"), Date.now(), trafficNamesOf(this.plan));
		return feltOf(blameServer([...ended, ...sessions], this.#dropped), fromMs, toMs);
	}

	/**
	 * What each client did since this front door started, by service. What counts is named: another process begins at 0.
	 * @throws Error or DeadlineError when HAProxy does not answer
	 */
	async traffic(): Promise<{ service: ServicePlan; source: string; clients: ClientTraffic[] }[]> {
		const { pid, startTime } = this.#process;
		return await Promise.all(
			this.plan.services.map(async (service) => ({
				service,
				source: `${pid}.${startTime}`,
				clients: parseTraffic(await askAdmin(this.#files.admin, trafficCommand(service), feltWithinMs)),
			})),
		);
	}

	/** Ends it; clients that are connected are cut off. @throws BulkheadError when it does not end */
	async stop(): Promise<void> {
		this.#stopping = true;
		await endOld(this.#process);
		await rm(this.#files.record, { force: true });
	}
}

/** Ports that the old front door holds come free with its end. */
async function refuseTakenPorts(plan: DoorPlan, old: DoorRecord | undefined): Promise<void> {
	for (const service of plan.services) {
		const { to, listen } = service;
		const isOurs = old?.listens.includes(listen) ?? false;
		const isFree = isOurs ? to === "host" || (await canWiden(listen)) : await portIsFree(to, listen);
		if (!isFree) throw portInUse(plan.server, service);
	}
}

async function endOld(process: ProcessIdentity | undefined): Promise<void> {
	if (!process || (await endProcess(process, 1000))) return;
	throw new BulkheadError(
		"internal",
		`the front door (process ${process.pid}) does not end, even when killed`,
	);
}
