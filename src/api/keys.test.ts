import { expect, test } from "vitest";
import { keysBody, keysOf } from "./keys.ts";

test("a text becomes the keys of a US keyboard", () => {
	expect(keysOf('aB3 auto url="http://x/a_b"\n')).toEqual([
		..."a,shift-b,3,spc,a,u,t,o,spc,u,r,l,equal,shift-apostrophe,h,t,t,p,shift-semicolon,slash,slash,x,slash,a".split(
			",",
		),
		...["shift-minus", "b", "shift-apostrophe", "ret"],
	]);
});

test("every character that can be typed is typed by a key that the API takes", () => {
	const typed = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).join("");
	expect(keysBody.parse({ keys: keysOf(typed) }).keys).toHaveLength(95);
});

test("a character that no key has is named", () => {
	expect(() => keysOf("straße")).toThrow('a US keyboard has no "ß"');
});

test.each(["", "Ret", "ctrl-alt-del ete", "a-b-c-d-e-f"])("%j is no key", (key) => {
	expect(keysBody.safeParse({ keys: [key] }).error?.issues[0]?.message).toContain("is no key");
});
