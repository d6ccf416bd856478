import { type Action, allowedIn, type Fault, isAllowed } from "../api/server.ts";
import type { Changes } from "./changes.ts";
import type { Env } from "./env.ts";
import type { Holder } from "./holder.ts";
import type { Command } from "./input.ts";
import type { Ledger } from "./ledger.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { Maintenance } from "./maintenance.ts";
import { refusal } from "./refusal.ts";
import type { Renewal } from "./renewal.ts";
import type { Reserve, WarmPolicy } from "./reserve.ts";
import type { Sleep } from "./sleep.ts";
import { waitsForItsTurn } from "./state.ts";

interface Parts {
	ledger: Ledger;
	clock: Env["clock"];
	holder: Holder;
	reserve: Reserve;
	life: Lifecycle;
	sleep: Sleep;
	renewal: Renewal;
	changes: Changes;
	maintenance: Maintenance;
	warm: () => WarmPolicy | null;
}

/** Obeys what a person asks of a server, as far as its state allows it. */
export class Commands {
	private readonly parts: Parts;

	constructor(parts: Parts) {
		this.parts = parts;
	}

	/** @param done called when it is over, with the error if there was one */
	async obey(command: Command, done: (error?: unknown) => void): Promise<void> {
		try {
			this.require(command.do);
			// It goes on in the background for a while, and is done later.
			if (command.do === "renew") return this.parts.renewal.begin(command.deadlineMs, done);
			await this.carryOut(command);
			done();
		} catch (error) {
			done(error);
		}
	}

	private require(action: Action): void {
		const { record } = this.parts.ledger;
		const { state } = record;
		if (isAllowed(action, state)) return;
		// Whoever does not want to wait starts it.
		if (action === "start" && waitsForItsTurn(record)) return;
		const when = (allowedIn[action] as readonly string[]).join(" or ");
		throw this.refusal(`is ${state}; ${action} is possible when it is ${when}`);
	}

	private async carryOut(command: Exclude<Command, { do: "renew" }>): Promise<void> {
		const { changes, maintenance } = this.parts;
		switch (command.do) {
			case "start":
				return await this.start(command.inTurn);
			case "stop":
			case "restart":
				return await this.stop(command.deadlineMs, command.do === "restart");
			case "maintenance":
				return await maintenance.set(command.on);
			case "seal":
				return await this.sealAnew();
			case "begin-changes":
				return await changes.begin();
			case "commit-changes":
			case "abandon-changes":
				return await changes.end(command.do === "commit-changes");
			case "drill":
				return await this.makeFault(command.fault);
			default:
				command satisfies never;
		}
	}

	private async start(inTurn?: true): Promise<void> {
		const { ledger, life, sleep } = this.parts;
		sleep.stopListening();
		return ledger.record.state === "asleep" ? await sleep.wake() : await life.start(inTurn);
	}

	private async stop(deadlineMs: number, startAgain: boolean): Promise<void> {
		const { life, sleep } = this.parts;
		sleep.stopListening();
		await sleep.endSleeper();
		await life.stop(deadlineMs, startAgain);
	}

	private async sealAnew(): Promise<void> {
		const { warm, reserve } = this.parts;
		if (!warm())
			throw this.refusal("recovers cold and has no seal; say `recovery: { mode: warm }` in the site file");
		await reserve.renewSeal();
	}

	private async makeFault(fault: Fault): Promise<void> {
		const { ledger, clock, holder } = this.parts;
		const { machine } = holder;
		if (!machine) throw this.refusal("has no session");
		const { number } = machine.session;
		ledger.set({ drill: { fault, at: clock.now(), session: number } });
		ledger.say("drill", `Drill: ${fault}`);
		await machine.inject(fault);
		await ledger.save();
	}

	private refusal(words: string) {
		return refusal(this.parts.ledger.server, words);
	}
}
