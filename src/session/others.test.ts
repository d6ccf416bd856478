import { expect, test } from "vitest";
import { excuseOf, type Other, waitWords } from "./others.ts";

const dc1 = (state: Other["state"], more: Partial<Other> = {}): Other => ({
	...{ name: "dc1", state, wanted: "running", maintenance: false },
	...more,
});

test.each<[how: string, other: Other, wait: string, excuse: string]>([
	["not looked at yet", dc1("unknown"), "which is looked at first", "is not looked at yet"],
	["starting", dc1("starting"), "which starts", "is starting"],
	["recovering", dc1("recovering"), "which recovers", "is recovering"],
	["restarting", dc1("stopping"), "which restarts", "is stopping"],
	["stopping for good", dc1("stopping", { wanted: "stopped" }), "", "is stopping"],
	["stopped", dc1("stopped", { wanted: "stopped" }), "", "is stopped"],
	["failed", dc1("failed"), "", "has failed"],
	["starting in maintenance", dc1("starting", { maintenance: true }), "", "is starting"],
	["running", dc1("running"), "", ""],
	["asleep", dc1("asleep"), "", ""],
])("one that is %s", (_, other, wait, excuse) => {
	expect(waitWords([other])).toBe(wait && `waits for dc1, ${wait}`);
	expect(excuseOf([other])).toBe(excuse && `dc1, which it comes after, ${excuse}`);
});

test("several are told together; without any there is nothing to wait for", () => {
	const some = [dc1("starting"), dc1("running", { name: "dc2" }), dc1("recovering", { name: "sql" })];
	expect(waitWords(some)).toBe("waits for dc1, which starts, and for sql, which recovers");
	expect(excuseOf(some)).toBe(
		"dc1, which it comes after, is starting; sql, which it comes after, is recovering",
	);
	expect([waitWords([]), excuseOf([])]).toEqual(["", ""]);
});
