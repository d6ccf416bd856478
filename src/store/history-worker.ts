import { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import { type Event, eventView } from "../api/event.ts";
import type { HistoryAnswer, HistoryRequest } from "./history.ts";
import { TrafficTables } from "./traffic-tables.ts";

const eventsKept = 200_000;
const schema = `
	PRAGMA journal_mode = WAL;
	PRAGMA synchronous = NORMAL;
	CREATE TABLE IF NOT EXISTS events (
		id INTEGER PRIMARY KEY, at REAL NOT NULL, server TEXT, session INTEGER, kind TEXT NOT NULL, text TEXT NOT NULL
	) STRICT;
`;

const database = new DatabaseSync(String(workerData.file));
database.exec(schema);
const traffic = new TrafficTables(database);
const insert = database.prepare(
	"INSERT OR REPLACE INTO events (id, at, server, session, kind, text) VALUES (?, ?, ?, ?, ?, ?)",
);
const forget = database.prepare(
	"DELETE FROM events WHERE id <= (SELECT id FROM events ORDER BY id DESC LIMIT 1 OFFSET ?)",
);
const since = database.prepare("SELECT * FROM events WHERE id > ? ORDER BY id LIMIT ?");
const newest = database.prepare("SELECT * FROM (SELECT * FROM events ORDER BY id DESC LIMIT ?) ORDER BY id");

// Also of a daemon that ends before it has seen a thousand.
forget.run(eventsKept);
let appended = 0;

function append({ id, at, server, session, kind, text }: Event): void {
	insert.run(id, at, server, session, kind, text);
	// Ids leave gaps: they begin at the time of each daemon's start.
	appended += 1;
	if (appended % 1000 === 0) forget.run(eventsKept);
}

function answer(request: HistoryRequest): HistoryAnswer | undefined {
	switch (request.do) {
		case "append":
			append(request.event);
			return undefined;
		case "read": {
			const rows = request.after < 0 ? newest.all(request.limit) : since.all(request.after, request.limit);
			return { id: request.id, value: rows.map((row) => eventView.parse(row)) };
		}
		case "add-traffic":
			traffic.add(request.at, request.samples);
			return { id: request.id };
		case "forget-traffic":
			traffic.forget(request.server);
			return { id: request.id };
		case "read-traffic":
			return { id: request.id, traffic: traffic.of(request.server, request.since) };
		case "close":
			database.close();
			return { id: request.id };
		default:
			return request satisfies never;
	}
}

parentPort?.on("message", (request: HistoryRequest) => {
	// A request without an id is answered as 0: the failure is told although nobody waits for it.
	const id = "id" in request ? request.id : 0;
	try {
		const reply = answer(request);
		if (reply) parentPort?.postMessage(reply);
	} catch (error) {
		parentPort?.postMessage({ id, error: error instanceof Error ? error.message : String(error) });
	}
});
