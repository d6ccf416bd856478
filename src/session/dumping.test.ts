import { expect, test } from "vitest";
import type { Seen } from "../api/screen.ts";
import { beginDumping, dumpingIsOver, followDumping } from "./dumping.ts";

const blue = (dump: "none" | "writing" | "done" | "unknown", percent?: number): Seen => ({
	...{ kind: "blue-screen", era: "8-to-10", dump },
	...(percent === undefined ? {} : { percent }),
});

/** Looks every half second; the screen is seen at every sixth of them. @returns when it was over, and why */
function wait(seconds: number, screen: (at: number) => Seen | undefined): string {
	let dumping = beginDumping(0);
	for (let at = 500; at <= seconds * 1000; at += 500) {
		dumping = followDumping(dumping, at, at % 3000 === 0 ? screen(at) : undefined);
		const over = dumpingIsOver(dumping);
		if (over) return `${at / 1000} s: ${over}`;
	}
	return "goes on";
}

test.each<[string, (at: number) => Seen | undefined, string]>([
	["nothing is seen", () => undefined, "goes on"],
	[
		"an older screen cannot be read",
		() => ({ ...blue("unknown"), era: "2000-to-2008-r2" }) as Seen,
		"goes on",
	],
	["a newer one changes now and then", (at) => blue(at % 150_000 ? "unknown" : "writing"), "goes on"],
	[
		"a newer one does not change",
		() => blue("unknown"),
		"183 s: nothing has changed on the guest's blue screen for 3 min",
	],
	["it is black", () => ({ kind: "black" }), "goes on"],
	["it writes, and says how far it is", (at) => blue("writing", Math.floor(at / 6000)), "goes on"],
	["it writes, and does not say how far", () => blue("writing"), "goes on"],
	["it says something else now and then", (at) => (at % 6000 ? blue("none") : blue("unknown")), "goes on"],
	["it says that it is done", () => blue("done"), "6 s: the guest's screen says that its dump is written"],
	[
		"it says that it is done after a while",
		(at) => (at < 60_000 ? blue("writing", Math.floor(at / 600)) : blue("done")),
		"63 s: the guest's screen says that its dump is written",
	],
	[
		"it says nothing of a dump",
		() => blue("none"),
		"33 s: the guest's screen has said nothing of a dump for 30.0 s",
	],
	[
		"it is a Linux that has panicked",
		() => ({ kind: "linux-panic", text: "Kernel panic - not syncing" }),
		"33 s: the guest's screen has said nothing of a dump for 30.0 s",
	],
	[
		"it stands still",
		(at) => blue("writing", Math.min(30, Math.floor(at / 1000))),
		"210 s: the guest's dump has stood at 30 % for 3 min",
	],
])("%s", (_, screen, expected) => {
	expect(wait(599, screen)).toBe(expected);
});

test("while nobody looked, nothing stood still", () => {
	const before = followDumping(beginDumping(0), 0, blue("none"));
	expect(dumpingIsOver(followDumping(before, 3_600_000, blue("none")))).toBeUndefined();
});
