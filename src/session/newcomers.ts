import type { Hearing, Pulse } from "./evidence.ts";
import type { Ledger } from "./ledger.ts";

/**
 * Services that were published while their server had a session, and have not answered since: nobody knows whether
 * anything listens there. Until they have, no session has to show them to be ready, and their silence proves nothing;
 * it is only told. Else a mistyped port would make a failed server of a healthy one at its next recovery.
 */
export class Newcomers {
	private readonly ledger: Ledger;

	constructor(ledger: Ledger) {
		this.ledger = ledger;
	}

	/** Other services are published; one may be so at several ports, and is as well as the worst of them. */
	async change(before: readonly string[], after: readonly string[]): Promise<void> {
		const { session, unproven } = this.ledger.record;
		const more = (name: string) => times(after, name) > times(before, name);
		const fresh = session === null ? [] : after.filter(more);
		await this.set([...new Set([...unproven.filter((name) => after.includes(name)), ...fresh])]);
	}

	/** Takes in what was seen at a look. */
	async hear({ services }: Pulse): Promise<void> {
		const { unproven } = this.ledger.record;
		await this.set(unproven.filter((name) => services[name] !== "up"));
	}

	/** What can be heard of the server, with those of its services that prove nothing yet. */
	mark(hearing: Hearing): Hearing {
		const { unproven } = this.ledger.record;
		return unproven.length === 0 ? hearing : { ...hearing, unproven };
	}

	private async set(unproven: string[]): Promise<void> {
		if (unproven.join() === this.ledger.record.unproven.join()) return;
		this.ledger.set({ unproven });
		await this.ledger.save();
	}
}

function times(names: readonly string[], name: string): number {
	return names.filter((one) => one === name).length;
}
