import { rename, rm } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { BulkheadError, explain } from "../api/errors.ts";
import { readIfThere } from "../host/files.ts";
import type { StoredServer } from "../store/servers.ts";
import type { Context } from "./context.ts";
import { finishDiskChanges } from "./disk-changes.ts";
import { begin, isInUse } from "./server-changes.ts";
import type { ServerUnit } from "./server-unit.ts";
import type { Turns } from "./turns.ts";
import type { Units } from "./units.ts";

/** Takes servers into supervision when the daemon starts. Whatever is wrong with one keeps the others from nothing. */
export class TakingOn {
	private readonly context: Context;
	private readonly units: Units;
	private readonly againAfterMs: number;
	/** Those that could not be supervised for a reason that may pass. */
	private readonly waiting = new Map<string, StoredServer>();

	/** @param againAfterMs how long it waits until it tries again */
	constructor(context: Context, units: Units, againAfterMs = 30_000) {
		this.context = context;
		this.units = units;
		this.againAfterMs = againAfterMs;
	}

	async takeOn(servers: readonly StoredServer[]): Promise<void> {
		this.units.expect(servers);
		for (const server of servers) await this.takeOnOne(server);
		this.units.expect([]);
		await this.units
			.tidy()
			.catch((error) => this.context.log.error({ err: error }, "gone servers could not be forgotten"));
	}

	/** Tries those again that could not be supervised, until they are; not while the site is being changed. */
	async goOn(changing: Turns, signal: AbortSignal): Promise<void> {
		while (this.waiting.size > 0 && !signal.aborted) {
			await delay(this.againAfterMs, undefined, { signal }).catch(() => {});
			if (signal.aborted || changing.busy) continue;
			await changing.take(async () => await this.takeOn([...this.waiting.values()]));
		}
	}

	private async takeOnOne(server: StoredServer): Promise<void> {
		const unit = await this.supervise(server);
		if (!unit) return;
		const { context } = this;
		await this.attempt(server, async () => await finishDiskChanges(server, isInUse(unit), context));
		await this.attempt(server, async () => await unit.door.openWhenPossible());
		await this.attempt(server, async () => await this.finishMaking(unit));
	}

	private async supervise(server: StoredServer): Promise<ServerUnit | undefined> {
		try {
			const unit = await this.units.supervise(server);
			this.waiting.delete(server.name);
			return unit;
		} catch (error) {
			this.setAside(server, error);
			return undefined;
		}
	}

	/** Damaged files wait for a person. */
	private setAside(server: StoredServer, error: unknown): void {
		const isDamaged = error instanceof BulkheadError && error.code === "bad-input";
		if (isDamaged) this.waiting.delete(server.name);
		else this.waiting.set(server.name, server);
		const why = isDamaged ? error : new Error("it is tried again and again", { cause: error });
		this.units.setAside(server.name, why, server, !isDamaged);
	}

	/** It is supervised, whatever becomes of the rest; the next daemon tries that again. */
	private async attempt({ name }: StoredServer, work: () => Promise<unknown>): Promise<void> {
		try {
			await work();
		} catch (error) {
			const { log, history } = this.context;
			const text = `${name} is supervised, and something of before is left undone: ${explain(error)}`;
			log.error({ err: error, server: name }, text);
			history.append({ at: Date.now(), server: name, session: null, kind: "daemon", text });
		}
	}

	/** Starts one that was made and not started yet when the daemon before was killed. */
	private async finishMaking(unit: ServerUnit): Promise<void> {
		const { unfinished, unstarted, making } = this.context.paths.server(unit.stored.name);
		await rm(making, { recursive: true, force: true });
		// It is whole: the daemon was killed between the two. With the mark its disks would go when its definition is lost.
		if ((await readIfThere(unfinished)) !== undefined) await rename(unfinished, unstarted);
		if ((await readIfThere(unstarted)) === undefined) return;
		await begin(unit, this.context).catch((error) =>
			this.context.log.error(
				{ err: error, server: unit.stored.name },
				"it was made, and could not be started",
			),
		);
	}
}
