import { expect, test } from "vitest";
import { doorPlan } from "../testing/door-plan.ts";
import { healthOf } from "./health.ts";

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
