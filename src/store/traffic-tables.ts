import type { DatabaseSync } from "node:sqlite";

/** Counters as they stand: they only grow as long as they have the same source. */
export interface TrafficSample {
	server: string;
	/** The way in or out, whatever it is called. */
	way: string;
	/**
	 * What names the counters where the way's own name does not: what the way is called may change while they go on, and other
	 * counters may come to be called so.
	 */
	counter?: string;
	/** Empty where there is none to tell of. */
	client: string;
	/** What counts, such as a process: another one begins at 0. */
	source: string;
	connections: number;
	count: number;
	bytesIn: number;
	bytesOut: number;
}

/** What one client did on one way on one day (UTC, `2026-11-23`). Times are milliseconds since the Unix epoch. */
export interface TrafficDay {
	way: string;
	client: string;
	day: string;
	connections: number;
	count: number;
	bytesIn: number;
	bytesOut: number;
	first: number;
	last: number;
}

const daysKept = 400;
/** Clients of a way that are told apart on one day: anybody on a network can come from any number of IPv6 addresses. */
const clientsADay = 300;
/** What the clients beyond those are called, all together. */
export const otherClients = "others";
const amounts = ["connections", "count", "bytesIn", "bytesOut"] as const;
const schema = `
	CREATE TABLE IF NOT EXISTS traffic_seen (
		server TEXT NOT NULL, way TEXT NOT NULL, client TEXT NOT NULL, source TEXT NOT NULL,
		connections INTEGER NOT NULL, count INTEGER NOT NULL, bytesIn INTEGER NOT NULL, bytesOut INTEGER NOT NULL,
		PRIMARY KEY (server, way, client)
	) STRICT, WITHOUT ROWID;
	CREATE TABLE IF NOT EXISTS traffic (
		server TEXT NOT NULL, day TEXT NOT NULL, way TEXT NOT NULL, client TEXT NOT NULL,
		connections INTEGER NOT NULL, count INTEGER NOT NULL, bytesIn INTEGER NOT NULL, bytesOut INTEGER NOT NULL,
		first REAL NOT NULL, last REAL NOT NULL,
		PRIMARY KEY (server, day, way, client)
	) STRICT, WITHOUT ROWID;
`;

/** The tables of what went in and out, in the history's database. */
export class TrafficTables {
	private readonly database: DatabaseSync;

	constructor(database: DatabaseSync) {
		this.database = database;
		database.exec(schema);
	}

	/**
	 * Adds what has come since the samples before to the day of `at`, all of it or nothing. A daemon that was away counts it to
	 * the day on which it looks again.
	 */
	add(at: number, samples: readonly TrafficSample[]): void {
		const day = dayOf(at);
		const together = addedUp(samples);
		this.database.exec("BEGIN IMMEDIATE");
		try {
			for (const sample of together) this.addOne(at, day, sample);
			this.forgetGone(together);
			this.database.prepare("DELETE FROM traffic WHERE day < ?").run(dayOf(at - daysKept * 86_400_000));
			this.database.exec("COMMIT");
		} catch (error) {
			this.database.exec("ROLLBACK");
			throw error;
		}
	}

	/** @returns what a server had from a day on, oldest first */
	of(server: string, since: number): TrafficDay[] {
		const columns = "way, client, day, connections, count, bytesIn, bytesOut, first, last";
		return this.database
			.prepare(`SELECT ${columns} FROM traffic WHERE server = ? AND day >= ? ORDER BY day, way, client`)
			.all(server, dayOf(since)) as unknown as TrafficDay[];
	}

	/** Of a server that is gone. */
	forget(server: string): void {
		for (const table of ["traffic", "traffic_seen"])
			this.database.prepare(`DELETE FROM ${table} WHERE server = ?`).run(server);
	}

	/** What counts has forgotten them, and would begin at 0: of ways that were looked at, those that were not seen. */
	private forgetGone(samples: readonly TrafficSample[]): void {
		const clients = this.database.prepare("SELECT client FROM traffic_seen WHERE server = ? AND way = ?");
		const forget = this.database.prepare(
			"DELETE FROM traffic_seen WHERE server = ? AND way = ? AND client = ?",
		);
		for (const own of Map.groupBy(samples, (sample) => `${sample.server} ${keyOf(sample)}`).values()) {
			const [sample] = own as [TrafficSample];
			const present = new Set(own.map(({ client }) => client));
			for (const key of new Set([keyOf(sample), sample.way]))
				for (const row of clients.all(sample.server, key)) {
					const client = String(row.client);
					if (!present.has(client)) forget.run(sample.server, key, client);
				}
		}
	}

	/** @returns what the client is called on that day */
	private nameOf(server: string, day: string, way: string, client: string): string {
		const known = this.database
			.prepare("SELECT 1 FROM traffic WHERE server = ? AND day = ? AND way = ? AND client = ?")
			.get(server, day, way, client);
		if (known) return client;
		const row = this.database
			.prepare("SELECT COUNT(*) AS count FROM traffic WHERE server = ? AND day = ? AND way = ?")
			.get(server, day, way);
		return Number(row?.count) < clientsADay ? client : otherClients;
	}

	/** What a counter stood at when it was looked at last. */
	private seen(server: string, key: string, client: string): TrafficSample | undefined {
		return this.database
			.prepare("SELECT * FROM traffic_seen WHERE server = ? AND way = ? AND client = ?")
			.get(server, key, client) as unknown as TrafficSample | undefined;
	}

	private addOne(at: number, day: string, sample: TrafficSample): void {
		const { server, way, client, source } = sample;
		const key = keyOf(sample);
		const known = this.seen(server, key, client);
		// Earlier versions kept all by the way's name.
		const before = known ?? this.seen(server, way, client);
		const goesOn =
			before !== undefined &&
			isSame(before.source, source) &&
			amounts.every((name) => sample[name] >= before[name]);
		const more = amounts.map((name) => sample[name] - (goesOn ? before[name] : 0));
		const isMore = more.some((amount) => amount !== 0);
		// A source that is new is noted also where nothing more came: what stands there may be an earlier version's name, for once.
		if (!isMore && before === known && (before === undefined || before.source === source)) return;
		if (before !== known)
			this.database
				.prepare("DELETE FROM traffic_seen WHERE server = ? AND way = ? AND client = ?")
				.run(server, way, client);
		this.database
			.prepare("INSERT OR REPLACE INTO traffic_seen VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
			.run(server, key, client, source, ...amounts.map((name) => sample[name]));
		if (!isMore) return;
		this.database
			.prepare(
				`INSERT INTO traffic VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET connections = connections + excluded.connections,
				count = count + excluded.count, bytesIn = bytesIn + excluded.bytesIn, bytesOut = bytesOut + excluded.bytesOut, last = excluded.last`,
			)
			.run(server, day, way, this.nameOf(server, day, way, client), ...more, at, at);
	}
}

/** Whether a source is that of before: earlier versions called what counts in a sandbox by its name alone. */
function isSame(before: string, source: string): boolean {
	return source === before || source.startsWith(`${before} `);
}

/** What a counter is found again by; the column `way` of `traffic_seen`. */
function keyOf({ counter, way }: TrafficSample): string {
	return counter ?? way;
}

/** Several counters that are called the same are one: each for itself would look like one that begins anew at every look. */
function addedUp(samples: readonly TrafficSample[]): TrafficSample[] {
	const key = (sample: TrafficSample) => JSON.stringify([sample.server, keyOf(sample), sample.client]);
	return [...Map.groupBy(samples, key).values()].flatMap(([first, ...others]) =>
		first ? others.reduce(sumOf, first) : [],
	);
}

function sumOf(one: TrafficSample, other: TrafficSample): TrafficSample {
	return {
		...one,
		source: one.source === other.source ? one.source : `${one.source} ${other.source}`,
		...{ connections: one.connections + other.connections, count: one.count + other.count },
		...{ bytesIn: one.bytesIn + other.bytesIn, bytesOut: one.bytesOut + other.bytesOut },
	};
}

function dayOf(at: number): string {
	return new Date(at).toISOString().slice(0, 10);
}
