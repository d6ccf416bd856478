import { expect, test } from "vitest";
import { doorPlan } from "../testing/door-plan.ts";
import { healthOf, pauseCommand, resumeCommand } from "./health.ts";

const heading = "# pxname,svname,qcur,status,check_status,\n";

test.each([
	["nothing checked yet", "UP", "INI", "unknown"],
	["a good check", "UP", "L7OK", "up"],
	["the first bad check", "UP 1/2", "L4TOUT", "up"],
	["two bad checks", "DOWN", "L4TOUT", "down"],
	["a check that is running", "DOWN", "* L7STS", "down"],
	["no status", "no check", "", "unknown"],
])("%s", (_, status, check, expected) => {
	const stat = `${heading}http.8080,FRONTEND,0,OPEN,,\nhealth.http.8080,guest,0,${status},${check},\n`;
	expect(healthOf(stat, doorPlan.services)).toEqual({ http: expected, sql: "unknown" });
});

test("no answer is no finding", () => {
	expect(healthOf("", doorPlan.services)).toEqual({ http: "unknown", sql: "unknown" });
});

test("only checks that are paused are resumed, and what they found is forgotten", () => {
	const both = doorPlan.services;
	expect(pauseCommand(both)).toBe(
		"disable health health.http.8080/guest; disable health health.sql.14330/guest",
	);
	const stat = `${heading}health.http.8080,guest,0,no check,,\nhealth.sql.14330,guest,0,UP,L4OK,\n`;
	expect(resumeCommand(stat, both)).toBe(
		"enable health health.http.8080/guest; set server health.http.8080/guest health down",
	);
	expect(resumeCommand("", both)).toBe("");
});

test("a server that hangs up is well where its profile says so, one that is silent or gone is not", () => {
	const sql = doorPlan.services[1];
	if (!sql) throw new Error("the plan has two services");
	const talk = { everyMs: 2000, withinMs: 8000, rules: [] };
	const judged = (check: string, said: string, hangUp?: "well", forgottenMs?: number) => {
		const columns = `health.sql.14330,guest,0,DOWN,${check},${said},\n`;
		const services = [{ ...sql, health: hangUp ? { ...talk, hangUp } : talk }];
		return healthOf(`# pxname,svname,qcur,status,check_status,last_chk,\n${columns}`, services, forgottenMs)
			.sql;
	};
	// HAProxy 2.6.12's own words, and what is left of them while the next check runs.
	for (const [check, said] of [
		["L7RSP", "TCPCHK got an empty response at step 3"],
		["SOCKERR", "Connection reset by peer at step 3 of tcp-check (expect binary regex)"],
		["* L7RSP", ""],
		["* SOCKERR", ""],
	] as const) {
		expect(judged(check, said, "well")).toBe("up");
		expect(judged(check, said)).toBe("down");
		// 2 * 8000 + 2000: until then it may be the session before that hung up, or was cut off.
		expect(judged(check, said, "well", 17_999)).toBe("down");
		expect(judged(check, said, "well", 18_001)).toBe("up");
	}
	for (const [check, said] of [
		["L4CON", "Connection refused at step 1 of tcp-check (connect)"],
		["L4TOUT", ""],
		["L7TOUT", ""],
		["* L7TOUT", ""],
		["SOCKERR", "Software caused connection abort at step 3 of tcp-check (expect binary regex)"],
	] as const)
		expect(judged(check, said, "well")).toBe("down");
});
