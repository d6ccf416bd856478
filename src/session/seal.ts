import { explain } from "../api/errors.ts";
import type { Env, Machines } from "./env.ts";
import type { Ledger } from "./ledger.ts";

/** A seal grows too old while the server runs. */
const checkEveryMs = 3_600_000;

/** What came of looking at a seal: sessions can be loaded; there is none, or none any more; or it is not known. */
export type Looked = { seal: "usable" } | { seal: "missing" | "unknown"; why: string };

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

	/** Reads and checks it. One that cannot be used is thrown away; one that could not be read stays. */
	async prepare(signal: AbortSignal): Promise<Looked> {
		return await this.machines.prepareSeal(signal).then(
			(why): Looked => (why === undefined ? { seal: "usable" } : { seal: "missing", why }),
			(error: unknown): Looked => ({ seal: "unknown", why: explain(error) }),
		);
	}

	/** Takes in what came of `prepare`. */
	prepared(looked: Looked): void {
		if (looked.seal === "usable") {
			this.isReady();
			return;
		}
		this.current = looked.seal;
		this.whyMissing = looked.why;
		if (looked.seal === "unknown") return;
		this.checkAt = this.clock.monotonic() + checkEveryMs;
		if (looked.why !== "there is none yet")
			this.ledger.say("session", `The seal cannot be used, and is thrown away: ${looked.why}`);
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

	/** Throws it away. @returns whether there was one */
	async drop(why: string): Promise<boolean> {
		this.current = "missing";
		this.whyMissing = why;
		return await this.machines.dropSeal();
	}

	private isReady(): void {
		this.current = "ready";
		this.checkAt = this.clock.monotonic() + checkEveryMs;
		this.checkLater(checkEveryMs);
	}
}
