import { expect, test } from "vitest";
import { refuseSkew } from "./join.ts";

test.each([
	[600, /the clock of dc1 is 600 s ahead of the host's, and Kerberos allows 5 minutes/],
	[-241, /241 s behind the host's/],
	[Number.NaN, /of another time than the host's/],
])("a clock that is %d s ahead is refused", (seconds, words) => {
	expect(() => refuseSkew("dc1", seconds)).toThrow(words);
});

test("a clock that is nearly right is not", () => {
	for (const seconds of [0, 3, -240, 240]) expect(() => refuseSkew("dc1", seconds)).not.toThrow();
});
