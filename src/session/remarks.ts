import { remarks } from "./detection.ts";
import type { Hearing } from "./evidence.ts";
import type { Ledger } from "./ledger.ts";
import type { Watch } from "./watch.ts";

/** Services that lost what they need try again at intervals of their own: so long it says nothing that they are silent still. */
const comingBackMs = 30_000;

/** Tells what is worth a word of a session that has not failed; what lasts is told once. */
export class Remarks {
	private readonly ledger: Ledger;
	private silentServices = "";
	/** They fell silent while one was away that the server comes after. */
	private excused = false;
	private rests = false;
	private told: readonly string[] = [];

	constructor(ledger: Ledger) {
		this.ledger = ledger;
	}

	/** @param excuse which of those that the server comes after are away, in words; empty when all are there */
	tell(watch: Watch, hearing: Hearing, excuse: string): void {
		this.tellRest(watch, excuse);
		this.tellSilentServices(watch, hearing, excuse);
		const now = this.ledger.record.maintenance ? [] : remarks(watch);
		for (const text of now) if (!this.told.includes(text)) this.ledger.say("signal", text);
		this.told = now;
	}

	private tellRest({ phase }: Watch, excuse: string): void {
		const rests = phase === "booting" && excuse !== "";
		if (rests && !this.rests) this.ledger.say("signal", `Its boot deadline rests: ${excuse}`);
		this.rests = rests;
	}

	private tellSilentServices(watch: Watch, hearing: Hearing, excuse: string): void {
		if (watch.phase !== "ready") return;
		const now = watch.silentServices.join(", ");
		const mayComeBack = this.excused && excuse === "";
		if (mayComeBack && now !== "" && watch.completeMs < comingBackMs) return;
		if (now === this.silentServices && !mayComeBack) return;
		this.silentServices = now;
		this.excused = now !== "" && excuse !== "";
		this.ledger.say("signal", now ? silenceWords(now, watch, hearing, excuse) : "All services answer");
	}
}

function silenceWords(services: string, watch: Watch, hearing: Hearing, excuse: string): string {
	if (excuse) return `${services} does not answer; ${excuse}`;
	const answers = hearing.agent || watch.silenceMs === 0;
	return answers
		? `The guest answers, but not its service ${services}`
		: `Its service ${services} does not answer; without an agent nobody knows whether the guest does`;
}
