import { remarks } from "./detection.ts";
import type { Hearing } from "./evidence.ts";
import type { Ledger } from "./ledger.ts";
import type { Watch } from "./watch.ts";

/** Tells what is worth a word of a session that has not failed; what lasts is told once. */
export class Remarks {
	private readonly ledger: Ledger;
	private silentServices = "";
	private told: readonly string[] = [];

	constructor(ledger: Ledger) {
		this.ledger = ledger;
	}

	tell(watch: Watch, hearing: Hearing): void {
		this.tellSilentServices(watch, hearing);
		const now = this.ledger.record.maintenance ? [] : remarks(watch);
		for (const text of now) if (!this.told.includes(text)) this.ledger.say("signal", text);
		this.told = now;
	}

	private tellSilentServices(watch: Watch, hearing: Hearing): void {
		if (watch.phase !== "ready") return;
		const now = watch.silentServices.join(", ");
		if (now === this.silentServices) return;
		this.silentServices = now;
		this.ledger.say("signal", now ? silenceWords(now, watch, hearing) : "All services answer");
	}
}

function silenceWords(services: string, watch: Watch, hearing: Hearing): string {
	const answers = hearing.agent || watch.silenceMs === 0;
	return answers
		? `The guest answers, but not its service ${services}`
		: `Its service ${services} does not answer; without an agent nobody knows whether the guest does`;
}
