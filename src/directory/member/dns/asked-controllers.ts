import type { ControllerHealth } from "../controllers.ts";

/** How often one has to be silent in a row: an answer that is lost on its way changes nothing. */
const silentTimes = 2;

/**
 * Which controllers are asked for the domain's names: those that answer. One that is silent dnsmasq itself would go on asking
 * for up to 20 s, in which nobody finds anything.
 */
export class AskedControllers {
	readonly #silent = new Map<string, number>();

	/**
	 * To be told of each look.
	 * @param found those that are of the domain, for all that is known
	 * @returns those that answer; all of them while none does
	 */
	choose(found: readonly ControllerHealth[]): string[] {
		const answering = found.filter((one) => this.#answers(one));
		return (answering.length > 0 ? answering : found).map(({ address }) => address);
	}

	#answers({ address, answers }: ControllerHealth): boolean {
		const before = this.#silent.get(address) ?? silentTimes;
		const times = answers.includes("dns") ? 0 : before + 1;
		this.#silent.set(address, times);
		return times < silentTimes;
	}

	forget(): void {
		this.#silent.clear();
	}
}
