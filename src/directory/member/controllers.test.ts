import { expect, test } from "vitest";
import { type ControllerHealth, inOrder, services } from "./controllers.ts";

const whole = (address: string): ControllerHealth => ({ address, answers: services });
const names = (address: string): ControllerHealth => ({ address, answers: ["dns"] });
const silent = (address: string): ControllerHealth => ({ address, answers: [] });

test.each<[string, ControllerHealth[], string[]]>([
	["as they were named", [whole("a"), whole("b")], ["a", "b"]],
	["those that answer first", [silent("a"), silent("b"), names("c"), whole("d")], ["d", "c", "a", "b"]],
	["as before while nobody answers", [silent("a"), { address: "b", answers: ["ldap"] }], []],
])("controllers are tried: %s", (_, found, asked) => {
	expect(inOrder(found)).toEqual(asked);
});
