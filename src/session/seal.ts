import { explain } from "../api/errors.ts";
import type { Env, Machines } from "./env.ts";
import type { Ledger } from "./ledger.ts";

/** A seal grows too old while the server runs. */
const checkEveryMs = 3_600_000;

/** What is known of a server's seal; has it made, checked and thrown away. */
export class Seal {
	private readonly ledger: Ledger;
	private readonly clock: Env["clock"];
	private readonly machines: Machines;
	private readonly checkLater: (afterMs: number) => void;
	private current: "unknown" | "missing" | "ready" = "unknown";
	private whyMissing = "";
	/** By the monotonic clock. */
	private checkAt = 0;

	/** @param checkLater arranges that `outdated` is asked again after a while */
	constructor(
		ledger: Ledger,
		clock: Env["clock"],
		machines: Machines,
		checkLater: (afterMs: number) => void,
	) {
		this.ledger = ledger;
		this.clock = clock;
		this.machines = machines;
		this.checkLater = checkLater;
	}

	get state(): "unknown" | "missing" | "ready" {
		return this.current;
	}

	/** Why there is none, in words, as far as that is known. */
	get why(): string {
		return this.whyMissing;
	}

	/** Whether it may have grown too old, or been damaged, since it was looked at. */
	get outdated(): boolean {
		return this.current === "ready" && this.clock.monotonic() >= this.checkAt;
	}

	/** It has to be looked at before it is used again. */
	doubt(): void {
		if (this.current === "ready") this.forget();
	}

	/** Nobody knows whether there is one. */
	forget(): void {
		this.current = "unknown";
	}

	/** Reads and checks it. @returns why it cannot be used, in words; it is thrown away then */
	async prepare(signal: AbortSignal): Promise<string | undefined> {
		return await this.machines.prepareSeal(signal).catch((error) => `it cannot be read: ${explain(error)}`);
	}

	/** Takes in what came of `prepare`. @returns whether it can be used */
	prepared(why: string | undefined): boolean {
		if (why === undefined) {
			this.isReady();
			return true;
		}
		this.current = "missing";
		this.checkAt = this.clock.monotonic() + checkEveryMs;
		this.whyMissing = why;
		if (why !== "there is none yet")
			this.ledger.say("session", `The seal cannot be used, and is thrown away: ${why}`);
		return false;
	}

	/** Makes it anew. @returns what kept it from that, undefined when it is made */
	async make(number: number, signal: AbortSignal): Promise<unknown> {
		return await this.machines.makeSeal(number, signal).then(
			() => undefined,
			(error: unknown) => error ?? new Error("it failed"),
		);
	}

	/** Takes in that `make` worked. */
	made(number: number): void {
		this.isReady();
		this.ledger.say("session", `The server is sealed: session ${number} was frozen when it was ready`);
	}

	/** Takes in that `make` did not work. */
	notMade(error: unknown): void {
		this.whyMissing = `it could not be made: ${explain(error)}`;
	}

	/** From here on it is not used any more. */
	disown(): void {
		this.current = "missing";
	}

	/** Throws it away. */
	async drop(why: string): Promise<void> {
		this.current = "missing";
		this.whyMissing = why;
		await this.machines.dropSeal();
	}

	private isReady(): void {
		this.current = "ready";
		this.checkAt = this.clock.monotonic() + checkEveryMs;
		this.checkLater(checkEveryMs);
	}
}
