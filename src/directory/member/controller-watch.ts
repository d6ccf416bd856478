import { type ControllerService, controllerPorts } from "../../api/domain.ts";
import { accepts } from "../../host/accepts.ts";
import { type ControllerHealth, services } from "./controllers.ts";

/**
 * What a controller does a good deal for: it begins a process for each connection that comes for files, and a
 * conversation for each to the directory. Asked each second, Samba in an emulated guest was busy with that for an eighth of
 * a processor's time (38 ms and 91 ms a time; 7 ms for names or tickets), in the seconds of another's failure for more.
 */
const costly: readonly ControllerService[] = ["ldap", "smb"];
/** How long an answer to those counts, while the controller answers to the others and nothing is known to have happened to it. */
const countsForMs = 10_000;

type Ask = (address: string, service: ControllerService) => Promise<boolean>;

/** What is known of a controller without asking it: that it is a server of this host's, and that none of its sessions serves now. */
export interface Known {
	isOwn: boolean;
	isAway: boolean;
}

/**
 * Asks the controllers of a domain again and again how they are. Of this host's own servers, whose failures are known here
 * (`forget`), at little cost to them: whether one is there shows in what costs it nothing, at each look; the rest is asked
 * when it is not known, and every ten seconds. One that is away is not asked at all: it would be silent until a look is over.
 * Others may fail and come back between two looks: they are asked all of it.
 */
export class ControllerWatch {
	/** When a controller last answered what is costly. */
	readonly #answered = new Map<string, Map<ControllerService, number>>();
	readonly #ask: Ask;
	readonly #known: (address: string) => Known;
	readonly #now: () => number;

	/**
	 * @param ask whether a controller takes a connection for a service
	 * @param known what is known of it
	 * @param now milliseconds, by a clock that nobody sets
	 */
	constructor(ask: Ask, known: (address: string) => Known, now: () => number = () => performance.now()) {
		this.#ask = ask;
		this.#known = known;
		this.#now = now;
	}

	/** @param deadlineMs for each question */
	static asking(deadlineMs: number, known: (address: string) => Known, signal: AbortSignal): ControllerWatch {
		return new ControllerWatch(
			async (host, service) => await accepts({ host, port: controllerPorts[service] }, deadlineMs, signal),
			known,
		);
	}

	/** Something has happened to these, or somebody wants to know now: nothing counts that they said before. */
	forget(addresses: readonly string[]): void {
		for (const address of addresses) this.#answered.delete(address);
	}

	/** @returns how each answers, in the order of the addresses */
	async look(addresses: readonly string[]): Promise<ControllerHealth[]> {
		return await Promise.all(addresses.map(async (address) => await this.#lookAt(address)));
	}

	async #lookAt(address: string): Promise<ControllerHealth> {
		if (this.#known(address).isAway) {
			this.#answered.delete(address);
			return { address, answers: [] };
		}
		const counting = services.filter((service) => this.#counts(address, service));
		const asked = services.filter((service) => !counting.includes(service));
		const answers = await this.#askAll(address, asked);
		if (answers.some((service) => !costly.includes(service))) answers.push(...counting);
		// It is not there, or not what it was: nothing counts that it said before.
		else this.#answered.delete(address);
		return { address, answers: services.filter((service) => answers.includes(service)) };
	}

	async #askAll(address: string, asked: readonly ControllerService[]): Promise<ControllerService[]> {
		const found = await Promise.all(
			asked.map(async (service) => ((await this.#askOne(address, service)) ? [service] : [])),
		);
		return found.flat();
	}

	async #askOne(address: string, service: ControllerService): Promise<boolean> {
		const at = this.#now();
		// Taken before it is asked: what was asked before `forget` counts for nothing when it is answered after that.
		const known = this.#answered.get(address) ?? new Map<ControllerService, number>();
		this.#answered.set(address, known);
		const answers = await this.#ask(address, service);
		if (answers && costly.includes(service)) known.set(service, at);
		else known.delete(service);
		return answers;
	}

	#counts(address: string, service: ControllerService): boolean {
		const at = this.#answered.get(address)?.get(service);
		return this.#known(address).isOwn && at !== undefined && this.#now() < at + countsForMs;
	}
}
