import { explain } from "../api/errors.ts";
import type { Aftermath } from "./aftermath.ts";
import {
	crashBeforeRestart,
	diskFull,
	type Failure,
	isFinal,
	judgeSign,
	judgeWatch,
	type Patience,
	type Verdict,
} from "./detection.ts";
import type { Env } from "./env.ts";
import type { Hearing, Pulse, Sign } from "./evidence.ts";
import type { Holder } from "./holder.ts";
import type { Ledger } from "./ledger.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { Maintenance } from "./maintenance.ts";
import type { Newcomers } from "./newcomers.ts";
import { excuseOf } from "./others.ts";
import type { Readiness } from "./readiness.ts";
import type { Recoverer } from "./recoverer.ts";
import type { Remarks } from "./remarks.ts";
import type { Renewal } from "./renewal.ts";

const resumeEveryMs = 5000;

interface Parts {
	ledger: Ledger;
	clock: Env["clock"];
	holder: Holder;
	life: Lifecycle;
	recoverer: Recoverer;
	renewal: Renewal;
	maintenance: Maintenance;
	readiness: Readiness;
	newcomers: Newcomers;
	remarks: Remarks;
	aftermath: Aftermath;
	others: Env["others"];
	policy: () => { hearing: Hearing; patience: Patience };
}

/** Takes in evidence of the session that runs, has it judged, and sees to it that what follows from the verdict is done. */
export class Judge {
	private readonly ledger: Ledger;
	private readonly clock: Env["clock"];
	private readonly holder: Holder;
	private readonly life: Lifecycle;
	private readonly recoverer: Recoverer;
	private readonly renewal: Renewal;
	private readonly maintenance: Maintenance;
	private readonly readiness: Readiness;
	private readonly newcomers: Newcomers;
	private readonly remarks: Remarks;
	private readonly aftermath: Aftermath;
	private readonly others: Env["others"];
	private readonly policy: Parts["policy"];
	/** By the monotonic clock. */
	private resumedAt = Number.NEGATIVE_INFINITY;

	constructor(parts: Parts) {
		this.ledger = parts.ledger;
		this.clock = parts.clock;
		this.holder = parts.holder;
		this.life = parts.life;
		this.recoverer = parts.recoverer;
		this.renewal = parts.renewal;
		this.maintenance = parts.maintenance;
		this.readiness = parts.readiness;
		this.newcomers = parts.newcomers;
		this.remarks = parts.remarks;
		this.aftermath = parts.aftermath;
		this.others = parts.others;
		this.policy = parts.policy;
	}

	async onSign(sign: Sign): Promise<void> {
		if (this.aftermath.isOn) return await this.goOnAfter(this.aftermath.hear(sign));
		await this.act(judgeSign(sign), sign);
	}

	async onPulse(pulse: Pulse): Promise<void> {
		if (this.aftermath.isOn) return await this.onPulseAfterCrash(pulse);
		const { holder, ledger } = this;
		const { patience, ...policy } = this.policy();
		await this.newcomers.hear(pulse);
		const hearing = this.newcomers.mark(policy.hearing);
		const before = holder.seen.phase;
		const excuse = excuseOf(this.others());
		holder.observe(pulse, hearing, excuse === "");
		if (before === "booting" && holder.seen.phase === "ready") await this.readiness.takeIn();
		this.remarks.tell(holder.seen, hearing, excuse);
		if (ledger.record.state === "stopping") await this.life.pressAgain();
		await this.act(judgeWatch(holder.seen, patience), undefined);
		this.renewal.beginWhenOld();
	}

	private async onPulseAfterCrash(pulse: Pulse): Promise<void> {
		// The guest's own dump needs room, too.
		if (pulse.status === "io-error") await this.letGoOn();
		await this.goOnAfter(await this.aftermath.follow(pulse));
	}

	private async goOnAfter(over: string | undefined): Promise<void> {
		if (over !== undefined) await this.recoverer.afterwards(over);
	}

	private async act(verdict: Verdict, sign: Sign | undefined): Promise<void> {
		const at = sign?.at ?? this.clock.now();
		switch (verdict.kind) {
			case "fine":
				return await this.onFine();
			case "note":
				this.ledger.say("signal", verdict.text);
				return;
			case "rebooted":
				return await this.onReboot(at);
			case "disk-full":
				return await this.onDiskFull(verdict.text);
			case "ended":
				return await this.onGuestShutdown(verdict.text);
			case "failed":
				return await this.onFailure(verdict, at);
			default:
				verdict satisfies never;
		}
	}

	private async onReboot(at: number): Promise<void> {
		const crash = crashBeforeRestart(this.holder.seen);
		if (crash && !this.ledger.record.maintenance) return await this.onFailure(crash, at);
		if (!this.holder.rebooted(at)) return;
		this.ledger.say("signal", "The guest restarts itself");
		if (this.ledger.record.state === "running")
			await this.ledger.become("starting", "the guest restarts itself");
	}

	private async onDiskFull(text: string): Promise<void> {
		const { state, reason } = this.ledger.record;
		if (reason !== text) await this.ledger.become(state, text);
		await this.letGoOn();
	}

	private async letGoOn(): Promise<void> {
		const now = this.clock.monotonic();
		if (now - this.resumedAt < resumeEveryMs) return;
		this.resumedAt = now;
		await this.holder.machine
			?.resume()
			.catch((error) => this.ledger.say("session", `The guest could not go on: ${explain(error)}`));
	}

	/** There is room on the host's disk again. */
	private async onFine(): Promise<void> {
		const { state, reason } = this.ledger.record;
		if (reason !== diskFull.text || this.holder.seen.status !== "running") return;
		this.ledger.say("signal", "There is room on the host's disk again: the guest goes on");
		await this.ledger.become(state, "");
	}

	private async onGuestShutdown(text: string): Promise<void> {
		const { state, maintenance } = this.ledger.record;
		if (state === "stopping") return void (await this.life.closeAndStop(""));
		this.ledger.say("session", text);
		if (!maintenance) await this.obeyGuest();
		await this.life.closeAndStop("the guest shut itself down");
	}

	/** Its own wish counts: what shut itself down is not started against it, not by a daemon either that finds it ended. */
	private async obeyGuest(): Promise<void> {
		this.ledger.set({ wanted: "stopped" });
		await this.ledger.become("stopping", "");
	}

	private async onFailure(failure: Failure, at: number): Promise<void> {
		const { state, maintenance } = this.ledger.record;
		if (state === "stopping") return await this.onFailureWhenStopping(failure);
		if (maintenance) return await this.maintenance.suspend(failure);
		if (state === "failed") return await this.onFailureWhenFailed(failure);
		await this.renewal.breakOff();
		await this.recoverer.fail(failure, at);
	}

	/** It was to end: that is no incident. */
	private async onFailureWhenStopping(failure: Failure): Promise<void> {
		if (!isFinal(failure, this.holder.seen)) return this.life.waitOn(failure);
		this.ledger.say("session", `${failure.summary}; it was to stop, and is ended`);
		await this.life.closeAndStop("");
	}

	/** Its session lived on although the server was given up, mostly because its process did not end. */
	private async onFailureWhenFailed(failure: Failure): Promise<void> {
		const { wanted } = this.ledger.record;
		if (failure.cause === "process-ended" || wanted === "stopped")
			return void (await this.life.closeAndStop(""));
		await this.recoverer.failAgain(failure);
	}
}
