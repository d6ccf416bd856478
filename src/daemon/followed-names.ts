import { Resolver } from "node:dns/promises";
import { BlockList, isIP, isIPv4, isIPv6 } from "node:net";
import { networkInterfaces } from "node:os";
import { z } from "zod";
import { explain } from "../api/errors.ts";
import { errorCode, readIfThere, writeFileAtomic } from "../host/files.ts";
import { neverOutside } from "../network/never-outside.ts";

/** An address that a name stands for, and how many seconds that may be believed. */
export interface Answer {
	address: string;
	ttl: number;
}

/** Milliseconds. A name is asked for again when its answer's time is over, within these bounds, and after a failure. */
const soonestMs = 10_000;
const latestMs = 3_600_000;
const againMs = 15_000;
/**
 * How long an address goes on being let out after it was told last: servers keep what they were told, and connections go
 * on that were opened to it.
 */
const keptMs = 300_000;
/** Addresses that a name may have; large sites have a handful at a time. */
const mostAddresses = 64;
/** Names that are asked for at the same time. */
const mostAtOnce = 16;
const question = { timeout: 2000, tries: 2 } as const;

/** Never let out, whatever a name says: by a translator (RFC 6052) it would be any address of IPv4. */
const never = [...neverOutside, "64:ff9b::/96"];

const kept = z.record(
	z.string(),
	z.object({
		current: z.array(z.string()),
		until: z.record(z.string(), z.number()),
	}),
);

/** What became of a question. */
interface Looked {
	family: 4 | 6;
	answers: Answer[];
	/** Why nobody knows: the answers are those of before. */
	failure?: unknown;
}

interface Name {
	/** Whether it is asked for by IPv6 too. */
	six: boolean;
	/** What it stands for now: what servers are told. */
	current: string[];
	/** Until when each address is let out; those of now have no end. */
	until: Map<string, number>;
	/** When it is asked for next, by a clock that nobody sets. */
	nextAt: number;
	/** What was wrong with the last answer; told once. */
	trouble: string | undefined;
}

export interface Following {
	/** A file that outlives the daemon, so that the next one closes nothing while it asks. */
	file: string;
	ask?: (name: string, family: 4 | 6) => Promise<Answer[]>;
	/** Milliseconds since 1970, and since any moment. */
	now?: () => number;
	monotonic?: () => number;
	/** Told of what is wrong with a name, once. */
	tell: (text: string) => void;
	keptMs?: number;
}

/**
 * The names in servers' `outbound:`, and what they stand for. The daemon asks by itself, so what is let out and what
 * servers are told is the same list; a server cannot have anything let out by asking.
 */
export class FollowedNames {
	private readonly with: Required<Following>;
	private readonly names = new Map<string, Name>();
	private inside = blocked([]);
	private loaded = false;
	/** What the last look found: time alone takes addresses away too. */
	private last = "[]";

	constructor(following: Following) {
		this.with = { ask: askHost, now: Date.now, monotonic: () => performance.now(), keptMs, ...following };
	}

	/**
	 * Follows exactly these names.
	 * @param segments networks that no name may lead into
	 * @param six those of the names that servers with IPv6 have: of the others only IPv4 addresses are asked for
	 */
	async follow(names: readonly string[], segments: readonly string[], six = names): Promise<void> {
		if (!this.loaded) await this.load();
		this.inside = blocked(segments);
		for (const name of this.names.keys()) if (!names.includes(name)) this.names.delete(name);
		for (const name of names) {
			const one = this.names.get(name) ?? anew();
			// A family more is asked for at once.
			if (six.includes(name) && !one.six) one.nextAt = 0;
			one.six = six.includes(name);
			this.names.set(name, one);
		}
	}

	/** What a name lets out: what it stands for, and what it stood for a moment ago. */
	letOut(name: string): string[] {
		const now = this.with.now();
		return [...(this.names.get(name)?.until ?? [])]
			.filter(([address, until]) => until > now && !this.isInside(address))
			.map(([address]) => address)
			.sort();
	}

	/** What it stands for now. */
	current(name: string): string[] {
		return (this.names.get(name)?.current ?? []).filter((address) => !this.isInside(address));
	}

	/** Asks for the names whose time has come. @returns whether anything that is let out or told has changed */
	async look(): Promise<boolean> {
		const due = [...this.names].filter(([, { nextAt }]) => nextAt <= this.with.monotonic());
		for (let from = 0; from < due.length; from += mostAtOnce)
			await Promise.all(
				due.slice(from, from + mostAtOnce).map(async ([name, one]) => await this.lookAt(name, one)),
			);
		for (const { until } of this.names.values())
			for (const [address, end] of until) if (end <= this.with.now()) until.delete(address);
		const summary = this.summary();
		if (summary === this.last) return false;
		this.last = summary;
		await this.save();
		return true;
	}

	private async lookAt(name: string, one: Name): Promise<void> {
		const families = await Promise.all([this.askFor(name, one, 4), this.askFor(name, one, 6)]);
		const found = families.flatMap(({ answers }) => answers);
		const failed = families.filter(({ failure }) => failure !== undefined);
		const outside = found.filter(({ address }) => isIPv4(address) || isIPv6(address));
		const refused = outside.filter(({ address }) => this.isInside(address)).map(({ address }) => address);
		const good = outside.filter(({ address }) => !this.isInside(address)).slice(0, mostAddresses);
		one.current = [...new Set(good.map(({ address }) => address))].sort();
		this.keep(one);
		const ttl = Math.min(...good.map((answer) => answer.ttl), latestMs / 1000) * 1000;
		const isWhole = good.length > 0 && failed.length === 0;
		one.nextAt = this.with.monotonic() + (isWhole ? Math.max(ttl, soonestMs) : againMs);
		if (refused.length > 0)
			this.trouble(name, one, `it leads to ${refused.join(", ")}, which is not outside; that is not let out`);
		else if (failed.length > 0) this.trouble(name, one, failureOf(failed));
		else if (good.length === 0) this.trouble(name, one, "it stands for no address");
		else one.trouble = undefined;
	}

	/**
	 * What a name stands for by one family. That it has no such address is an answer; when nobody knows, what it stood for goes
	 * on. The other family does not wait for it: there are name servers that never answer for IPv6.
	 */
	private async askFor(name: string, one: Name, family: 4 | 6): Promise<Looked> {
		if (family === 6 && !one.six) return { family, answers: [] };
		try {
			return { family, answers: await this.with.ask(name, family) };
		} catch (failure) {
			if (["ENOTFOUND", "ENODATA"].includes(errorCode(failure) ?? "")) return { family, answers: [] };
			const kept = one.current.filter((address) => isIP(address) === family);
			return { family, answers: kept.map((address) => ({ address, ttl: againMs / 1000 })), failure };
		}
	}

	private keep(one: Name): void {
		const end = this.with.now() + this.with.keptMs;
		for (const [address, until] of one.until)
			if (!one.current.includes(address)) one.until.set(address, Math.min(until, end));
		for (const address of one.current) {
			one.until.delete(address);
			one.until.set(address, Number.POSITIVE_INFINITY);
		}
		for (const address of [...one.until.keys()].slice(0, -mostAddresses)) one.until.delete(address);
	}

	private trouble(name: string, one: Name, what: string): void {
		if (one.trouble !== what) this.with.tell(`The name ${name} in \`outbound:\`: ${what}`);
		one.trouble = what;
	}

	private isInside(address: string): boolean {
		return isIPv4(address) ? this.inside.four.check(address, "ipv4") : this.inside.six.check(address, "ipv6");
	}

	private summary(): string {
		return JSON.stringify(
			[...this.names.keys()].map((name) => [name, this.letOut(name), this.current(name)]),
		);
	}

	private async load(): Promise<void> {
		this.loaded = true;
		const text = await readIfThere(this.with.file);
		if (text === undefined) return;
		for (const [name, { current, until }] of Object.entries(kept.parse(JSON.parse(text)))) {
			const ends = Object.entries(until).map(([address, end]): [string, number] => [
				address,
				current.includes(address) ? Number.POSITIVE_INFINITY : end,
			]);
			this.names.set(name, { ...anew(), current, until: new Map(ends) });
		}
	}

	private async save(): Promise<void> {
		const all = [...this.names].map(([name, { current, until }]) => [
			name,
			{ current, until: Object.fromEntries([...until].map(([one, end]) => [one, Math.min(end, 1e15)])) },
		]);
		await writeFileAtomic(this.with.file, JSON.stringify(Object.fromEntries(all)));
	}
}

function anew(): Name {
	return { six: false, current: [], until: new Map(), nextAt: 0, trouble: undefined };
}

function failureOf([first, second]: readonly Looked[]): string {
	const which = second ? "it" : `its IPv${first?.family} addresses`;
	return `${which} cannot be looked up: ${explain(first?.failure)}`;
}

/** Apart, as a list takes IPv4 addresses for mapped ones: 10.0.0.1 for ::ffff:10.0.0.1. */
function blocked(segments: readonly string[]): { four: BlockList; six: BlockList } {
	const lists = { four: new BlockList(), six: new BlockList() };
	for (const network of [...never, ...segments]) {
		const [address = "", length] = network.split("/");
		if (isIPv4(address)) lists.four.addSubnet(address, Number(length), "ipv4");
		else lists.six.addSubnet(address, Number(length), "ipv6");
	}
	for (const { address, family } of Object.values(networkInterfaces()).flatMap((one) => one ?? []))
		if (family === "IPv4") lists.four.addAddress(address, "ipv4");
		else lists.six.addAddress(address, "ipv6");
	return lists;
}

/** Asks the host's own name servers, as its other programs do. @throws Error with a code of node:dns */
export async function askHost(name: string, family: 4 | 6): Promise<Answer[]> {
	return await askAt(name, family);
}

/** @param servers `address` or `address:port`; the host's own when left out */
export async function askAt(name: string, family: 4 | 6, servers?: readonly string[]): Promise<Answer[]> {
	const resolver = new Resolver(question);
	if (servers) resolver.setServers(servers);
	const answers =
		family === 4
			? await resolver.resolve4(name, { ttl: true })
			: await resolver.resolve6(name, { ttl: true });
	return answers.map(({ address, ttl }) => ({ address, ttl }));
}
