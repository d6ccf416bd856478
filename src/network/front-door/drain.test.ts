import { expect, test } from "vitest";
import { doorPlan } from "../testing/door-plan.ts";
import { closeIdleCommand, drainCommand, releaseCommand, withGuest } from "./drain.ts";

const stat = (...lines: string[]) =>
	["# pxname,svname,scur,idle_conn_cur,safe_conn_cur,", ...lines, ""].join("\n");

test.each([
	["nothing", stat(), { busy: 0, idle: 0 }],
	["a request", stat("once.http.8080,guest,1,0,0,"), { busy: 1, idle: 0 }],
	["a TCP connection", stat("guest.sql.14330,guest,2,,,"), { busy: 2, idle: 0 }],
	["kept connections", stat("repeat.http.8080,guest,0,2,1,"), { busy: 0, idle: 3 }],
	["what waits", stat("repeat.http.8080,hold,5,0,0,", "repeat.http.8080,BACKEND,5,,,"), { busy: 0, idle: 0 }],
	["the hop to itself", stat("hop.http.8080,inner,5,1,1,"), { busy: 0, idle: 0 }],
	["a health check", stat("health.http.8080,guest,1,1,0,"), { busy: 0, idle: 0 }],
])("with the guest: %s", (_, text, expected) => {
	expect(withGuest(text, doorPlan)).toEqual(expected);
});

test("every backend that carries traffic is drained and released", () => {
	const backends = ["repeat.http.8080", "once.http.8080", "guest.sql.14330"];
	const all = (...states: string[]) =>
		backends.flatMap((name) => states.map((state) => `set server ${name}/guest state ${state}`)).join("; ");
	expect(drainCommand(doorPlan)).toBe(all("maint"));
	expect(closeIdleCommand(doorPlan)).toBe(all("ready", "maint"));
	expect(releaseCommand(doorPlan)).toBe(all("ready"));
});
