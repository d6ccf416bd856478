import { expect, test } from "vitest";
import { Looks } from "./looks.ts";

test("a look that hangs is given up, and no second one begins while it does", async () => {
	const looks = new Looks(20);
	const { promise, resolve } = Promise.withResolvers<string>();
	let begun = 0;
	const look = async () => {
		begun++;
		return await promise;
	};
	await expect(looks.take("/srv/a", look)).rejects.toThrow(/^\/srv\/a does not answer within 0.02 s/);
	await expect(looks.take("/srv/a", look)).rejects.toThrow(/does not answer/);
	expect(begun).toBe(1);
	// Another is another.
	expect(await looks.take("/srv/b", async () => "there")).toBe("there");
	resolve("back");
	await promise;
	await Promise.resolve();
	expect(await looks.take("/srv/a", look)).toBe("back");
	expect(begun).toBe(2);
});

test("what a look throws is thrown, and it can be taken again", async () => {
	const looks = new Looks(1000);
	const wrong = async () => {
		throw new Error("no such file");
	};
	await expect(looks.take("/srv/a", wrong)).rejects.toThrow("no such file");
	await expect(looks.take("/srv/a", wrong)).rejects.toThrow("no such file");
});
