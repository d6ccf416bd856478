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
