import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Event, NewEvent } from "../api/event.ts";
import { History } from "./history.ts";

let folder: string;
let file: string;
let failures: Error[];
beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "bulkhead-history-"));
	file = join(folder, "history.sqlite");
	failures = [];
});
afterEach(async () => await rm(folder, { recursive: true }));

const open = async () => await History.open(file, (error) => failures.push(error));
const event = (text: string): NewEvent => ({ at: 1000.5, server: "web", session: 7, kind: "state", text });
const texts = (events: readonly Event[]) => events.map(({ id, text }) => `${id} ${text}`);

test("what is appended can be read, in order, with numbers from 1", async () => {
	const history = await open();
	for (const text of ["a", "b", "c"]) history.append(event(text));
	expect(texts(await history.after(0, 10))).toEqual(["1 a", "2 b", "3 c"]);
	expect(texts(await history.after(1, 1))).toEqual(["2 b"]);
	expect(texts(await history.last(2))).toEqual(["2 b", "3 c"]);
	expect(await history.after(3, 10)).toEqual([]);
	await history.close();
});

test("an event comes back as it was", async () => {
	const history = await open();
	const nobody: NewEvent = {
		at: 2,
		server: null,
		session: null,
		kind: "daemon",
		text: "quotes ' \" \u0000 ü 🙂",
	};
	const [first, second] = [history.append(event("x")), history.append(nobody)];
	expect(await history.last(2)).toEqual([first, second]);
	await history.close();
});

test("the next daemon reads on, and counts on", async () => {
	const before = await open();
	for (let i = 0; i < 500; i++) before.append(event(`${i}`));
	await before.close();
	const after = await open();
	expect(after.append(event("new")).id).toBe(501);
	expect(texts(await after.last(2))).toEqual(["500 499", "501 new"]);
	await after.close();
	expect(failures).toEqual([]);
});

test("an event is told at once, to those who listen at the time", async () => {
	const history = await open();
	const heard: string[] = [];
	const end = history.subscribe(({ text }) => heard.push(text));
	history.append(event("a"));
	end();
	history.append(event("b"));
	expect(heard).toEqual(["a"]);
	await history.close();
});

test("a file that is no database is an error, not silence", async () => {
	await writeFile(file, "this is no database ".repeat(100));
	await expect(open()).rejects.toThrow("file is not a database");
	expect(failures).toHaveLength(1);
});

const silent = { onFailure: () => {}, onMoved: () => {}, onMemory: () => {} };

test("a file that is no database is moved aside, and a new one begins", async () => {
	await writeFile(file, "this is no database ".repeat(100));
	const moved: string[] = [];
	const begun = Date.now();
	const history = await History.openOrBegin(file, {
		...silent,
		onMoved: (_, aside) => moved.push(aside),
	});
	const { id } = history.append(event("new"));
	expect(id, "above all that was in the damaged one, for those who follow").toBeGreaterThanOrEqual(begun);
	await history.close();
	const next = await History.open(file, silent.onFailure);
	expect(next.append(event("newer")).id).toBe(id + 1);
	await next.close();
	expect(moved).toHaveLength(1);
	expect(await readFile(`${moved[0]}`, "utf8")).toContain("no database");
});

test("what is no damage moves nothing, and events are kept in memory", async () => {
	await mkdir(file);
	const told: string[] = [];
	const history = await History.openOrBegin(file, {
		...silent,
		onMoved: (_, aside) => told.push(aside),
		onMemory: (error) => told.push(String(error)),
	});
	expect(told).toEqual(["Error: unable to open database file"]);
	history.append(event("there"));
	expect((await history.last(10)).map(({ text }) => text)).toEqual(["there"]);
	await history.close();
	expect(await readdir(folder)).toEqual(["history.sqlite"]);
});

test("ids go on above those of events that could not be kept", async () => {
	await mkdir(file);
	const inMemory = await History.openOrBegin(file, silent);
	const { id } = inMemory.append(event("lost"));
	await inMemory.close();
	await rm(file, { recursive: true });
	const next = await History.openOrBegin(file, silent);
	next.append(event("seen"));
	expect((await next.after(id, 10)).map(({ text }) => text)).toEqual(["seen"]);
	await next.close();
});

test("the newest 200,000 are kept, whatever their numbers", async () => {
	await (await History.open(file, silent.onFailure)).close();
	const database = new DatabaseSync(file);
	const row = (id: number) => `(${id}, 0, NULL, NULL, 'state', 'old')`;
	for (let batch = 0; batch < 201; batch++) {
		const ids = Array.from({ length: 1000 }, (_, i) => 10 * (1000 * batch + i));
		database.exec(`INSERT INTO events VALUES ${ids.map(row).join(", ")}`);
	}
	database.close();
	const history = await History.open(file, silent.onFailure);
	const [oldest] = await history.after(0, 1);
	expect(oldest?.id).toBe(10_000);
	await history.close();
});
