import { expect, test } from "vitest";
import { median } from "./median.ts";

test.each([
	[[7], 7],
	[[9, 1, 5], 5],
	[[100, 1, 3, 2], 2.5],
	[[10, 0], 5],
])("the median of %j is %d", (values, middle) => {
	expect(median(values)).toBe(middle);
});
