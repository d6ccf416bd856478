import { expect, test } from "vitest";
import { mirrorIn } from "./mirror.ts";

test("the mirror is that of Debian's own main packages", () => {
	const targets = [
		"Debian main http://mirror.example/debian-security/ bookworm-security",
		"Other main http://other.example/debian/ bookworm",
		"Debian contrib http://mirror.example/debian-contrib/ bookworm",
		"Debian main http://mirror.example/debian/ bookworm",
	];
	expect(mirrorIn(targets.join("\n"))).toBe("http://mirror.example/debian");
	expect(mirrorIn(targets.slice(0, 3).join("\n"))).toBeUndefined();
});
