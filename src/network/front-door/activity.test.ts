import { expect, test } from "vitest";
import { doorPlan } from "../testing/door-plan.ts";
import { activityOf } from "./activity.ts";

test("users' requests and connections count once, checks and idle connections do not", () => {
	const stat = [
		"# pxname,svname,scur,stot,req_tot,",
		"http.8080,FRONTEND,9,100,1000,",
		"repeat.http.8080,guest,1,700,,",
		"repeat.http.8080,BACKEND,2,800,800,",
		"hop.http.8080,BACKEND,2,150,150,",
		"upload.http.8080,whole,1,50,50,",
		"upload.http.8080,BACKEND,1,50,50,",
		"once.http.8080,FRONTEND,3,200,200,",
		"once.http.8080,BACKEND,3,200,200,",
		"sql.14330,FRONTEND,4,40,,",
		"guest.sql.14330,BACKEND,4,40,,",
		"health.http.8080,guest,1,5000,,",
		"",
	].join("\n");
	expect(activityOf(stat, doorPlan)).toEqual({ current: 9, total: 1040 });
	expect(activityOf("", doorPlan)).toEqual({ current: 0, total: 0 });
});
