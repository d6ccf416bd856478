import { expect, test, vi } from "vitest";
import { Restarts } from "./restarts.ts";

test("what ends again and again is begun less and less often, and told once", () => {
	let now = 1_000_000;
	const restarts = new Restarts(() => now);
	const begun: number[] = [];
	const told: number[] = [];
	for (; now < 1_200_000; now += 500) {
		const due = restarts.due();
		if (due === "no") continue;
		begun.push((now - 1_000_000) / 1000);
		if (due === "tell") told.push(begun.length);
	}
	expect(begun).toEqual([0, 2, 6, 14, 30, 62, 122, 182]);
	expect(told).toEqual([3]);
	expect(restarts.lately).toBe(true);
});

test("what has run for as long as the last pause is begun at once when it ends", () => {
	let now = 1_000_000;
	const restarts = new Restarts(() => now);
	expect(restarts.due()).toBe("begin");
	now += 2000;
	restarts.runs();
	expect(restarts.lately).toBe(true);
	now += 1;
	restarts.runs();
	expect(restarts.lately).toBe(false);
	expect(restarts.due()).toBe("begin");
	expect(restarts.due()).toBe("no");
});

test("the host's clock may be set back meanwhile", () => {
	const restarts = new Restarts();
	expect(restarts.due()).toBe("begin");
	const set = vi.spyOn(Date, "now").mockReturnValue(0);
	const passed = vi.spyOn(performance, "now").mockReturnValue(performance.now() + 3000);
	try {
		expect(restarts.due()).toBe("begin");
	} finally {
		set.mockRestore();
		passed.mockRestore();
	}
});
