import { expect, test } from "vitest";
import { doorPlan } from "../testing/door-plan.ts";
import { Freshness } from "./freshness.ts";
import { healthOf } from "./health.ts";

const [, sql] = doorPlan.services;
if (!sql) throw new Error("the plan has two services");
const services = [{ ...sql, health: { everyMs: 2000, withinMs: 40_000, rules: [] } }];

/** Looks at moments of a clock. @returns what is known of the service's last answer at the last of them */
function follow(...looks: (readonly [at: number, check: string, status?: string, durationMs?: number])[]) {
	const fresh = new Freshness();
	return looks
		.map(([at, check, status = "UP", durationMs = 3]) => {
			const stat = `# pxname,svname,status,check_status,check_duration,\nhealth.sql.14330,guest,${status},${check},${durationMs},\n`;
			return fresh.takeIn(stat, services, healthOf(stat, services), at).sql;
		})
		.at(-1);
}

test("between two checks the last answer is no older than the time between them", () => {
	expect(follow([10_000, "L7OK"])).toEqual({ ageMs: 2100, late: false });
});

test("while a check runs, the answer before grows older, and what is late is told", () => {
	const before = [
		[10_000, "L7OK"],
		[12_000, "* L7OK"],
	] as const;
	expect(follow(...before, [13_900, "* L7OK"])).toEqual({ ageMs: 6000, late: false });
	expect(follow(...before, [14_100, "* L7OK"])).toEqual({ ageMs: 6200, late: true });
	expect(follow(...before, [14_100, "* L7OK"], [14_200, "L7OK"])).toEqual({ ageMs: 2100, late: false });
});

test("one that takes its time is given it", () => {
	const asked = [12_000, "* L7OK", "UP", 28_000] as const;
	expect(follow([12_000, "* L7OK", "UP", 4000], [19_900, "* L7OK", "UP", 4000])?.late).toBe(false);
	// A guest may have chosen how long it took, and does not say so for ever.
	expect(follow(asked, [21_900, "* L7OK", "UP", 28_000])?.late).toBe(false);
	expect(follow(asked, [22_100, "* L7OK", "UP", 28_000])?.late).toBe(true);
});

test("what was not up a look ago has answered since", () => {
	const back = [
		[10_000, "L7TOUT", "DOWN"],
		[10_500, "L7OK"],
	] as const;
	expect(follow(...back)?.ageMs).toBe(500);
	expect(follow(...back, [12_500, "* L7OK"])?.ageMs).toBe(2500);
});

test("of a check that ran already when it was first looked at, only what it may take is known; nothing of one that is down", () => {
	expect(follow([10_000, "* L7OK"])).toEqual({ ageMs: 42_400, late: false });
	expect(follow([10_000, "L7TOUT", "DOWN"])).toBeUndefined();
});

test("when HAProxy says nothing, what was known stays and grows older", () => {
	const fresh = new Freshness();
	const look = (at: number, stat: string) => fresh.takeIn(stat, services, healthOf(stat, services), at).sql;
	const row = (check: string) =>
		`# pxname,svname,status,check_status,check_duration,\nhealth.sql.14330,guest,UP,${check},3,\n`;
	look(10_000, row("L7OK"));
	look(12_000, row("* L7OK"));
	expect(look(14_500, row("* L7OK"))).toEqual({ ageMs: 6600, late: true });
	expect(look(15_000, "")).toBeUndefined();
	expect(look(15_500, row("* L7OK"))).toEqual({ ageMs: 7600, late: true });
});

test("one that answers, and is seen to be asked at each look, is never late nor old", () => {
	const fresh = new Freshness();
	const often = [{ ...sql, health: { path: "/" } }];
	const stat = "# pxname,svname,status,check_status,check_duration,\nhealth.sql.14330,guest,UP,* L7OK,110,\n";
	for (let at = 10_000; at < 70_000; at += 510)
		expect(fresh.takeIn(stat, often, healthOf(stat, often), at).sql).toEqual({
			ageMs: expect.toSatisfy((ms: number) => ms <= 1800),
			late: false,
		});
});
