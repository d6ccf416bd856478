import { expect, test } from "vitest";
import { type ControllerHealth, services } from "../controllers.ts";
import { AskedControllers } from "./asked-controllers.ts";

const whole = (address: string): ControllerHealth => ({ address, answers: services });
const silent = (address: string): ControllerHealth => ({ address, answers: [] });

test("those that answer for names are asked, whatever else they answer", () => {
	const asked = new AskedControllers();
	const starting: ControllerHealth = { address: "c", answers: ["dns"] };
	const without: ControllerHealth = { address: "d", answers: ["kerberos", "ldap", "smb"] };
	expect(asked.choose([silent("a"), whole("b"), starting, without])).toEqual(["b", "c"]);
});

test("one that is silent is left out when it is so twice in a row, and asked again as soon as it answers", () => {
	const asked = new AskedControllers();
	const found = [whole("a"), whole("b")];
	expect(asked.choose(found)).toEqual(["a", "b"]);
	expect(asked.choose([silent("a"), whole("b")])).toEqual(["a", "b"]);
	expect(asked.choose([silent("a"), whole("b")])).toEqual(["b"]);
	expect(asked.choose([silent("a"), whole("b")])).toEqual(["b"]);
	expect(asked.choose(found)).toEqual(["a", "b"]);
	// It was one answer that was lost.
	expect(asked.choose([silent("a"), whole("b")])).toEqual(["a", "b"]);
});

test("all are asked while none answers", () => {
	const asked = new AskedControllers();
	expect(asked.choose([silent("a"), silent("b")])).toEqual(["a", "b"]);
	expect(asked.choose([])).toEqual([]);
});
