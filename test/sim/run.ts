import { readFileSync } from "node:fs";
import { join } from "node:path";
import { explain } from "../../src/api/errors.ts";
import type { Seen } from "../../src/api/screen.ts";
import { serverStates } from "../../src/api/server.ts";
import { formatDuration, parseDuration } from "../../src/api/units.ts";
import { signOf } from "../../src/daemon/parts/signs.ts";
import { parseEvent, type QmpEvent } from "../../src/qemu/qmp/connection.ts";
import type { Sign } from "../../src/session/evidence.ts";
import { type Policy, Supervisor } from "../../src/session/supervisor.ts";
import { settled } from "./clock.ts";
import type { BootPlan, Guest } from "./guest.ts";
import type { Script, Step } from "./script.ts";
import { World } from "./world.ts";

export interface Outcome {
	log: string;
	/** What happened that never may; empty when all is well. */
	violations: readonly string[];
}

/** Plays a script against a supervisor of its own. */
export async function play(script: Script): Promise<Outcome> {
	const run = new Run(script);
	return await run.play();
}

const guestActs: Readonly<Record<string, (guest: Guest, world: World) => void>> = {
	"becomes ready": (guest) => guest.becomeReady(),
	panics: (guest) => guest.panic(),
	resets: (guest) => guest.reset(),
	"shuts down": (guest) => guest.shutDown(),
	hangs: (guest) => guest.hang("off"),
	"hangs with interrupts on": (guest) => guest.hang("on"),
	"is killed": (guest) => guest.kill(),
	"loses its monitor": (guest) => guest.loseMonitor(),
	"is frozen": (guest) => guest.freeze(),
	"finds the disk full": (guest) => guest.findDiskFull(),
	"does not end": (guest) => Object.assign(guest, { stuck: true }),
	"waits for the host's disk": (guest) => guest.waitForDisk(true),
	"gets its disk back": (guest) => guest.waitForDisk(false),
	"is paused": (guest) => guest.pause("paused"),
	"is suspended": (guest) => guest.pause("suspended"),
	"goes on": (guest) => guest.pause(undefined),
	"loses its TPM": (guest) => Object.assign(guest, { tpmGone: true }),
	"has a mute monitor": (guest) => guest.muteMonitor(),
	"ends at last": (guest) => guest.getUnstuck(),
	"ignores the power button": (_, world) => {
		world.ignoresPowerButton = true;
	},
};

const hostActs: Readonly<Record<string, (world: World) => void>> = {
	restarts: (world) => world.restartHost(),
	"has time again": (world) => Object.assign(world, { starved: 0 }),
	"disk is full": (world) => Object.assign(world, { diskFull: true }),
	"disk has room": (world) => Object.assign(world, { diskFull: false, canWrite: true, keepsEvidence: true }),
	"starts sessions again": (world) => Object.assign(world, { startFailure: undefined }),
	"cannot keep evidence": (world) => Object.assign(world, { keepsEvidence: false }),
	"cannot write": (world) => Object.assign(world, { canWrite: false }),
	"cannot open the front door": (world) => Object.assign(world, { doorOpens: false }),
	"guests withstand drills": (world) => Object.assign(world, { withstandsDrills: true }),
	"has a mute front door": (world) => Object.assign(world, { doorMute: true }),
	"is asked for something": ({ activity }) => Object.assign(activity, { total: activity.total + 1 }),
	"gets a visitor": ({ onKnock }) => onKnock?.resolve(),
	"hears no visitors any more": ({ onKnock }) => onKnock?.reject(new Error("conntrack ended")),
	"dumps slowly": (world) => Object.assign(world, { dumpMs: 3_600_000 }),
	"has no room for dumps": (world) => Object.assign(world, { keepsDumps: false }),
	"has long requests": (world) => Object.assign(world, { doorBusyMs: 60_000 }),
	"has short requests": (world) => Object.assign(world, { doorBusyMs: 0 }),
	"cannot seal": (world) => Object.assign(world.trouble, { seal: "it was not settled within 300 s" }),
	"cannot load from the seal": (world) => Object.assign(world.trouble, { load: "QEMU says: invalid state" }),
	"cannot let a standby run": (world) => Object.assign(world.trouble, { run: "the guest agent is silent" }),
	"cannot end a standby that it gives disks": (world) => Object.assign(world.trouble, { sticks: true }),
	"has a damaged seal": (world) => Object.assign(world.trouble, { use: "its memory is damaged" }),
	"cannot read its seals": (world) =>
		Object.assign(world.trouble, { read: "qemu-system-x86_64 --version: did not finish within 5000 ms" }),
	"reads its seals slowly": (world) => Object.assign(world.trouble, { readMs: 300_000 }),
	"cannot remove its seals": (world) => Object.assign(world.trouble, { drop: "EIO: i/o error, rm" }),
	"has its seals in order": (world) => Object.assign(world, { trouble: {} }),
	"loses the standby": (world) => world.guests.findLast(({ alive, hasDisks }) => alive && !hasDisks)?.kill(),
	"has its front door again": (world) => Object.assign(world, { doorMute: false, doorOpens: true }),
};

class Run {
	private readonly script: Script;
	private readonly world: World;
	private policy: Policy;
	private supervisor: Supervisor | undefined;

	constructor(script: Script) {
		this.script = script;
		const { agent, services, screens, boot, silence, budget, onCrash, checks } = script.policy;
		this.world = new World(script.boots, {
			...{ agent, services, screens },
			checks: checks && { everyMs: checks.every, withinMs: checks.within },
		});
		this.policy = {
			server: "dc1",
			hearing: { agent, services, ...(screens && { screen: true }) },
			patience: { boot, silence },
			budget: { attempts: budget.attempts, withinMs: budget.within },
			warm: warmOf(script.policy),
			...(onCrash && { onCrash: { does: onCrash, withinMs: 600_000 } }),
		};
	}

	async play(): Promise<Outcome> {
		const { world, script } = this;
		this.startDaemon();
		for (const step of script.steps) {
			await world.clock.passUntil(step.at);
			await this.do(step);
			await settled();
		}
		await world.clock.passUntil(script.end);
		this.checkEnd();
		const log = [...world.lines, "", ...this.summary()].join("\n");
		void this.supervisor?.leave();
		await settled();
		const { violations, defects } = world;
		const told = script.supervisionFails ? [] : defects;
		return { log: `${log}\n`, violations: [...violations, ...told] };
	}

	private startDaemon(): void {
		this.supervisor = new Supervisor(this.policy, structuredClone(this.world.saved), this.world.env());
	}

	private async do(step: Step): Promise<void> {
		const { world } = this;
		if ("command" in step) return this.command(step);
		if ("ask" in step) return world.log("told", this.supervisor?.remark ?? "nothing");
		if ("guest" in step) {
			world.log("guest", step.guest);
			return this.guest(step.guest);
		}
		if ("event" in step) {
			world.log("guest", `crashes: ${step.event}`);
			return world.guest.panicAs(signOfEvent(step.event, world.clock.now()));
		}
		if ("screen" in step) {
			world.log("guest", `shows ${screenWords(step.screen)}`);
			return world.guest.show(step.screen);
		}
		if ("other" in step) {
			world.log("other", step.other);
			return this.other(step.other);
		}
		if ("wakes" in step) {
			world.log("guest", `wakes: ${wordsOf(step.wakes)}`);
			world.wakes = step.wakes;
			return;
		}
		if ("boots" in step) {
			world.log("guest", `boots: ${wordsOf(step.boots)}`);
			world.boots = step.boots;
			return;
		}
		if ("host" in step) {
			world.log("host", step.host);
			return this.host(step.host);
		}
		await this.daemon(step.daemon);
	}

	private command(step: Extract<Step, { command: string }>): void {
		const { supervisor, world } = this;
		if (!supervisor) throw new Error("there is no daemon to command");
		world.log("command", step.command);
		supervisor.command(commandOf(step)).then(
			() => world.log("command", `${step.command}: done`),
			(error) => world.log("command", `${step.command}: refused, ${explain(error)}`),
		);
	}

	private guest(does: string): void {
		const { world } = this;
		const act = guestActs[does];
		if (act) return void act(world.guest, world);
		const [, service = "", silent] = /^service (\S+) (goes silent)?/.exec(does) ?? [];
		world.guest.silence(service, silent !== undefined);
	}

	private host(does: string): void {
		const { world } = this;
		if (does === "restarts") this.supervisor = undefined;
		if (does === "gives the server other hardware") this.changeHardware();
		else if (does === "lets the server recover cold") this.changeRecovery(null);
		else if (does === "lets the server recover warm") this.changeRecovery(warmOf(this.script.policy));
		// As the daemon tells its supervisor of what no session has anything of.
		else if (does === "publishes something else") this.supervisor?.change(this.policy, false);
		else if (does.startsWith("sets its clock")) this.setClock(does);
		else if (does.startsWith("starves")) world.starved = Number(/\d+(\.\d+)?/.exec(does)?.[0]) / 100;
		else if (does.startsWith("cannot start sessions"))
			world.startFailure = does.split(": ").slice(1).join(": ");
		else hostActs[does]?.(world);
	}

	private setClock(does: string): void {
		const ms = parseDuration(does.split(" ").at(-1) ?? "") ?? 0;
		this.world.clock.set(does.includes("back") ? -ms : ms);
	}

	private other(is: string): void {
		const [, name = "", how = ""] = /^(\S+) is (.*)$/.exec(is) ?? [];
		const { others } = this.world;
		const before = others.get(name) ?? { name, state: "running", wanted: "running", maintenance: false };
		const state = [...serverStates, "unknown" as const].find((state) => state === how) ?? before.state;
		others.set(name, { ...before, state, maintenance: how === "in maintenance" });
	}

	private changeRecovery(warm: Policy["warm"]): void {
		this.policy = { ...this.policy, warm };
		this.supervisor?.change(this.policy, true);
	}

	private changeHardware(): void {
		this.world.sealFits = false;
		this.world.hardware++;
		// As the daemon tells its supervisor of a changed definition.
		this.supervisor?.change(this.policy, true);
	}

	private async daemon(does: Extract<Step, { daemon: string }>["daemon"]): Promise<void> {
		const { world } = this;
		if (does === "starts") {
			world.log("daemon", "starts");
			this.startDaemon();
		} else if (does === "dies") {
			world.killDaemon("dies");
		} else if (does === "leaves") {
			world.log("daemon", "leaves");
			await this.supervisor?.leave();
		} else {
			const [, when, what = ""] = /^dies (before|after) (.*)$/.exec(does) ?? [];
			world.trap = { when: when === "before" ? "before" : "after", what };
		}
	}

	private checkEnd(): void {
		const { world } = this;
		const { saved, incidents } = world;
		for (const { id, outcome } of incidents.values()) {
			if (outcome === "recovering" && saved.openIncident !== id)
				world.violate(`incident ${id} is left open, and nobody works on it`);
		}
		if (saved.openIncident !== null && saved.state !== "recovering" && saved.state !== "starting")
			world.violate(`the server is ${saved.state} with open incident ${saved.openIncident}`);
	}

	/** How everything stands at the end. */
	private summary(): string[] {
		const { saved, incidents } = this.world;
		const about = saved.reason ? ` (${saved.reason})` : "";
		const session = saved.session ? `, session ${saved.session.number}` : "";
		return [
			`at the end: ${saved.state}${about}, wanted ${saved.wanted}${session}`,
			...[...incidents.values()].flatMap((incident) => {
				const { id, cause, summary, outcome, nextSession, outageMs, drill, evidence, felt, details } =
					incident;
				const next = nextSession === null ? "" : `, next session ${nextSession}`;
				const outage = outageMs === null ? "" : `, outage ${formatDuration(outageMs)}`;
				return [
					"",
					`incident ${id}: ${cause}, ${outcome}${next}${outage}${drill ? `, a drill (${drill.fault})` : ""}`,
					`  ${summary}`,
					...incident.timeline.map(({ atMs, what }) => `  ${String(atMs).padStart(8)}  ${what}`),
					...Object.entries(details)
						.filter(([name]) => name !== "action")
						.map(([name, value]) => `  ${name}: ${value}`),
					`  evidence: ${evidence.join(", ") || "none"}; felt: ${felt ? formatDuration(felt.longestPauseMs) : "not read"}`,
				];
			}),
		];
	}
}

/** What the daemon makes of a line that QEMU has sent. */
function signOfEvent(name: string, at: number): Sign {
	const line = readFileSync(join(import.meta.dirname, "events", `${name}.json`), "utf8");
	const event = { ...parseEvent(line), receivedAt: at } as QmpEvent;
	const sign = signOf({ kind: "qmp", event, at });
	if (!sign) throw new Error(`nothing follows from events/${name}.json`);
	return sign;
}

function screenWords(screen: Seen): string {
	if (screen.kind !== "blue-screen") return screen.kind;
	const { stop, dump, percent } = screen;
	const code = stop ? ` 0x${stop.code.toString(16)}` : "";
	return `blue-screen${code}, dump ${dump}${percent === undefined ? "" : ` ${percent} %`}`;
}

function warmOf({ standby, sleep, renew }: Script["policy"]): Policy["warm"] {
	if (standby === undefined) return null;
	return { standby, sleepAfterMs: sleep ?? null, renewAfterMs: renew ?? null };
}

function commandOf(step: Extract<Step, { command: string }>): Parameters<Supervisor["command"]>[0] {
	switch (step.command) {
		case "start":
			return { do: "start" };
		case "start in turn":
			return { do: "start", inTurn: true };
		case "stop":
		case "restart":
			return { do: step.command, deadlineMs: step.deadline };
		case "maintenance on":
		case "maintenance off":
			return { do: "maintenance", on: step.command === "maintenance on" };
		case "seal":
			return { do: "seal" };
		case "renew":
			return { do: "renew", deadlineMs: 10_000 };
		case "begin changes":
			return { do: "begin-changes" };
		case "commit changes":
			return { do: "commit-changes" };
		case "abandon changes":
			return { do: "abandon-changes" };
		case "drill panic":
			return { do: "drill", fault: "panic" };
		case "drill kill":
			return { do: "drill", fault: "kill" };
		case "drill hang":
			return { do: "drill", fault: "hang" };
		case "drill freeze":
			return { do: "drill", fault: "freeze" };
		default:
			return step satisfies never;
	}
}

function wordsOf(boots: BootPlan): string {
	return boots.kind === "never" ? "never ready" : `${boots.kind} after ${formatDuration(boots.afterMs)}`;
}
