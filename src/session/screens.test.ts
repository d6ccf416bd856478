import { describe, expect, test } from "vitest";
import type { Seen } from "../api/screen.ts";
import { crashBeforeRestart, judgeWatch, remarks } from "./detection.ts";
import type { Hearing, Pulse } from "./evidence.ts";
import { beginScreenWatch, followScreen } from "./screens.ts";
import { beginWatch, observe, rebooted, type Watch } from "./watch.ts";

const hearing: Hearing = { agent: true, services: ["http"], screen: true };
const mute: Hearing = { agent: false, services: [], screen: true };
const patience = { boot: 300_000, silence: 20_000 };
const silent: Partial<Pulse> = { services: { http: "down" } };
const blue = (over: object = {}): Seen => ({ kind: "blue-screen", era: "8-to-10", dump: "unknown", ...over });
const stop = { code: 0xef, parameters: ["0xffffe00012345678"] };
const says = "Windows stopped with CRITICAL_PROCESS_DIED (0xEF)";

/**
 * Looks every half second, at the screen every three seconds.
 * @returns what is made of it at last, with the moment of the first failure
 */
function look(
	seconds: number,
	screen: (at: number) => Seen | undefined,
	pulse: (at: number) => Partial<Pulse> = () => silent,
	{ from = ready(), to = hearing }: { from?: Watch; to?: Hearing } = {},
) {
	let watch = from;
	for (let at = 500; at <= seconds * 1000; at += 500) {
		const now = from.lastLook + at;
		const seen = at % 3000 === 0 ? screen(at) : undefined;
		watch = observe(watch, { ...well(now), ...pulse(now), ...(seen && { screen: seen }) }, to);
		const verdict = judgeWatch(watch, patience);
		if (verdict.kind === "failed")
			return { watch, verdict: `${at / 1000} s, ${verdict.cause}: ${verdict.summary}` };
	}
	return { watch, verdict: "fine" };
}

function well(at: number): Pulse {
	return {
		...{ at, process: "runs", status: "running", qmpHeardAt: at, agentHeardAt: null },
		...{ services: { http: "up" }, interrupts: "on", starved: 0 },
	};
}

function ready(to = hearing): Watch {
	return { ...observe(beginWatch(0), { ...well(500), agentHeardAt: 400 }, to), phase: "ready" };
}

describe("a blue screen", () => {
	test.each<[string, Partial<Pulse>, (at: number) => Seen, string]>([
		[
			"of a silent guest, seen twice",
			silent,
			() => blue({ stop }),
			"6 s, panic: Windows stopped with CRITICAL",
		],
		["that cannot be read", silent, () => blue(), "6 s, panic: Windows stopped with a blue screen; its"],
		[
			"that could be read the first time only",
			silent,
			(at) => blue(at === 3000 ? { stop } : {}),
			"6 s, panic: Windows stopped with CRITICAL",
		],
		["of a guest whose service answers", { services: { http: "up" } }, () => blue({ stop }), "fine"],
		["that is there now and then", silent, (at) => (at % 6000 ? blue() : { kind: "other" }), "20 s, hang"],
		[
			"of a guest whose processors take no interrupts, seen once",
			{ ...silent, interrupts: "off" },
			() => blue({ stop }),
			"3 s, panic: Windows stopped with CRITICAL",
		],
		["of a guest that the host does not let run", { ...silent, starved: 0.9 }, () => blue(), "33 s, panic"],
		[
			"without a face, which a notice may look like, until silence tells",
			silent,
			() => blue({ faceless: true }),
			"20 s, hang",
		],
		[
			"without a face whose dump is seen to go on once",
			silent,
			(at) => blue({ faceless: true, dump: at === 6000 ? "writing" : "unknown" }),
			"6 s, panic",
		],
		[
			"without a face of a guest whose processors take no interrupts",
			{ ...silent, interrupts: "off" },
			() => blue({ faceless: true }),
			"3 s, panic",
		],
	])("%s", (_, pulse, screen, expected) => {
		expect(look(40, screen, () => pulse).verdict).toContain(expected);
	});

	test("of a guest whose agent answers is a picture", () => {
		expect(
			look(
				60,
				() => blue({ stop }),
				(at) => ({ ...silent, agentHeardAt: at - 100 }),
			).verdict,
		).toBe("fine");
	});

	test("counts from when it came: what was known of services before that is no answer", () => {
		const from = ready({ ...mute, services: ["smtp"] });
		const to = { ...mute, services: ["smtp"] };
		/** Asked every 10 s and for the last time at 1 s, with the 30 s that it has for its answer. */
		const stale = (at: number) => {
			const since = at - from.lastLook - 1000;
			const asked = since - 10_000;
			const answer =
				asked < 0 ? { ageMs: Math.max(0, since), late: false } : { ageMs: since, late: asked > 2000 };
			return { services: { smtp: "up" as const }, answers: { smtp: answer } };
		};
		expect(look(60, () => blue({ stop }), stale, { from, to }).verdict).toContain("13.5 s, panic");
		const { watch } = look(8, () => blue({ stop }), stale, { from, to });
		expect(crashBeforeRestart(watch)?.summary).toContain(says);
	});

	test("of a server whose services are asked seldom, and answer, is a picture", () => {
		const to = { ...mute, services: ["smtp"] };
		const from = ready(to);
		// Nobody knows when in the last ten seconds it was.
		const slow = () => ({
			services: { smtp: "up" as const },
			answers: { smtp: { ageMs: 10_000, late: false } },
		});
		expect(look(120, () => blue({ stop }), slow, { from, to }).verdict).toBe("fine");
		// Whatever a crash looks like: it is one when the picture stays and the answers do not.
		const dies = (at: number) =>
			at < from.lastLook + 30_000 ? slow() : { services: { smtp: "down" as const } };
		expect(look(120, () => blue({ stop }), dies, { from, to }).verdict).toContain("panic");
	});

	test("of a server that can be heard by nothing else", () => {
		const from = ready(mute);
		expect(
			look(
				60,
				() => blue({ stop }),
				() => ({ services: {} }),
				{ from, to: mute },
			).verdict,
		).toContain("6 s, panic");
		expect(
			look(
				60,
				(at) => (at === 3000 ? blue() : { kind: "other" }),
				() => ({ services: {} }),
				{ from, to: mute },
			).verdict,
		).toBe("fine");
	});

	test("while it boots is not waited for until the boot deadline", () => {
		const from = beginWatch(0);
		expect(
			look(
				60,
				() => blue({ stop }),
				() => silent,
				{ from },
			).verdict,
		).toContain("6 s, panic");
	});

	test("says when it came", () => {
		const { watch } = look(60, () => blue({ stop }));
		expect(judgeWatch(watch, patience)).toMatchObject({
			...{ cause: "panic", forMs: 3000, stop },
			details: { "stop code": "0xEF", "parameter 1": "0xFFFFE00012345678 (the process)" },
		});
	});

	test("that a restart follows was a crash, seen once or not", () => {
		const { watch } = look(5, () => blue({ stop }));
		expect(judgeWatch(watch, patience)).toEqual({ kind: "fine" });
		const crash = crashBeforeRestart(watch);
		expect(crash).toMatchObject({ cause: "panic", restarted: true });
		expect(crash?.summary).toContain(says);
		expect(crash?.summary).toContain("; it restarts by itself");
		expect(crashBeforeRestart(look(5, () => ({ kind: "other" })).watch)).toBeUndefined();
		expect(crashBeforeRestart(rebooted(watch, watch.lastLook))).toBeUndefined();
	});
});

describe("a hang", () => {
	const off = () => ({ ...silent, interrupts: "off" }) as const;

	test("is told when the screen was looked at, and shows no crash", () => {
		expect(look(20, () => ({ kind: "other" }), off).verdict).toContain("3 s, hang");
	});

	test("is told a little later when the screen cannot be had", () => {
		expect(look(20, () => undefined, off).verdict).toContain("6.5 s, hang");
	});

	test("is told as soon as it is proven when nobody looks at the screen", () => {
		const to = { ...hearing, screen: false };
		expect(look(20, () => undefined, off, { to }).verdict).toContain("2 s, hang");
	});

	test.each<Seen>([{ kind: "black" }, { kind: "boot" }, { kind: "text" }, { kind: "linux-panic", text: "" }])(
		"is one whatever else the screen shows: $kind",
		(screen) => {
			expect(look(60, () => screen).verdict).toContain("20 s, hang");
		},
	);
});

describe.each<[Seen, string]>([
	[{ kind: "updating" }, "installs updates"],
	[{ kind: "checking-disk" }, "checks its disk"],
])("while a Windows is seen to be %j", (screen, words) => {
	test("its silence means nothing, and is told", () => {
		const { watch, verdict } = look(3000, () => screen);
		expect(verdict).toBe("fine");
		expect(remarks(watch)).toEqual([`Windows ${words}: it is not expected to answer meanwhile`]);
	});

	test("its boot deadline rests, and it has its whole time afterwards", () => {
		const { watch, verdict } = look(
			3000,
			() => screen,
			() => silent,
			{ from: beginWatch(0) },
		);
		expect([verdict, watch.bootingMs]).toEqual(["fine", 0]);
		expect(
			look(
				299,
				() => ({ kind: "boot" }),
				() => silent,
				{ from: watch },
			).verdict,
		).toBe("fine");
		expect(
			look(
				400,
				() => ({ kind: "boot" }),
				() => silent,
				{ from: watch },
			).verdict,
		).toContain("boot-timeout");
	});

	test("its processors may rest, too", () => {
		expect(
			look(
				60,
				() => screen,
				(at) => ({ ...silent, interrupts: at > 3500 ? "off" : "on" }),
			).verdict,
		).toBe("fine");
	});

	test("restarts make no loop", () => {
		let { watch } = look(
			60,
			() => screen,
			() => silent,
			{ from: beginWatch(0) },
		);
		for (let i = 0; i < 10; i++) {
			watch = rebooted(watch, watch.lastLook + 1000);
			({ watch } = look(
				60,
				() => screen,
				() => silent,
				{ from: watch },
			));
			expect(judgeWatch(watch, patience)).toEqual({ kind: "fine" });
		}
		for (let i = 0; i < 5; i++) watch = rebooted(watch, watch.lastLook + 1000 * (i + 1));
		expect(judgeWatch(watch, patience)).toMatchObject({ cause: "reset-loop" });
	});

	test("two hours of it are too much, over all restarts", () => {
		const { watch } = look(
			6000,
			() => screen,
			() => silent,
			{ from: beginWatch(0) },
		);
		const again = rebooted(watch, watch.lastLook + 1000);
		const { verdict } = look(
			3000,
			() => screen,
			() => silent,
			{ from: again },
		);
		expect(verdict).toContain(`boot-timeout: Windows ${words} for 2 h 0 min and is not done`);
	});

	test("what was seen a while ago counts no more", () => {
		const { watch } = look(60, () => screen);
		expect(
			look(
				60,
				() => undefined,
				() => silent,
				{ from: watch },
			).verdict,
		).toContain("hang");
	});

	test.each([
		[60, `hang: Windows ${words} for 2 h 0 min`],
		[660, "fine"],
	])("once it was ready for ten minutes it has two hours anew, and not before: %i s", (seconds, expected) => {
		let { watch } = look(6000, () => screen);
		({ watch } = look(
			seconds,
			() => ({ kind: "other" }),
			() => ({ services: { http: "up" } }),
			{ from: watch },
		));
		expect(
			look(
				6000,
				() => screen,
				() => silent,
				{ from: watch },
			).verdict,
		).toContain(expected);
	});

	/** Installs for two minutes, restarts, shows a logo for one minute, and so on. @returns the verdict, and how many restarts it took */
	function loop(pulse: () => Partial<Pulse>, to: Hearing, turns: number) {
		let watch = ready(to);
		for (let restarts = 0; restarts <= turns; restarts++) {
			const turn = look(180, (at) => (at <= 120_000 ? screen : { kind: "boot" }), pulse, { from: watch, to });
			if (turn.verdict !== "fine") return { restarts, verdict: turn.verdict };
			watch = rebooted(turn.watch, turn.watch.lastLook + 1000);
		}
		return { restarts: turns, verdict: "fine" };
	}

	test("a loop of it ends after twenty restarts, where nothing but the screen tells of it", () => {
		const { restarts, verdict } = loop(() => ({ services: {} }), mute, 40);
		expect([restarts, verdict]).toEqual([
			20,
			`3 s, reset-loop: Windows ${words} again and again: it has restarted itself 20 times, and was never done for 10 min`,
		]);
	});

	test("and where services answer in between, but not where they answer meanwhile", () => {
		const web: Hearing = { ...mute, services: ["http"] };
		expect(loop(() => ({ services: { http: "up" } }), web, 40).verdict).toBe("fine");
		let looks = 0;
		const now = () => ({ services: { http: ++looks % 360 > 240 ? ("up" as const) : ("down" as const) } });
		expect(loop(now, web, 40)).toMatchObject({
			restarts: 20,
			verdict: expect.stringContaining("again and again"),
		});
	});
});

test("no time runs against a server that answers, whatever its screen shows", () => {
	const step = {
		screen: { kind: "updating" } as const,
		looks: true,
		stepMs: 1000,
		fairMs: 1000,
		mayAnswer: false,
		ready: true,
	};
	const follow = (heard: boolean) => {
		let watch = beginScreenWatch();
		for (let at = 1000; at <= 10_000; at += 1000)
			watch = followScreen(watch, { ...step, at, heardAt: heard ? at : 0 });
		return watch.workMs;
	};
	expect(follow(true)).toBe(0);
	expect(follow(false)).toBe(10_000);
});
