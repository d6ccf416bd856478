import { explain } from "../../api/errors.ts";
import type { Seen } from "../../api/screen.ts";
import type { Fault } from "../../api/server.ts";
import { emptyWhenLarger, readUntrustedTail } from "../../host/files.ts";
import { isAlive } from "../../host/process.ts";
import type { Disk } from "../../qemu/hardware.ts";
import type { Look, QemuMachine } from "../../qemu/machine.ts";
import { readProcessors } from "../../qemu/registers.ts";
import type { Evidence, Machine } from "../../session/env.ts";
import type { Pulse } from "../../session/evidence.ts";
import type { SessionRecord } from "../../session/state.ts";
import type { SessionPaths } from "../../store/paths.ts";
import type { ScreenReader } from "./screen-reader.ts";
import { noScreens, RecognisedScreens, type Screens } from "./screens.ts";

/** A guest may write to its console without end, and make QEMU complain without end; more than this is not kept. */
const consoleLimitBytes = 8 * 2 ** 20;
const settlesWithinMs = 2000;
const frameWithinMs = 400;
const dumpWithinMs = 600_000;
const consoleTailBytes = 64 * 1024;

export interface Surroundings {
	services: () => Promise<Pick<Pulse, "services" | "answers">>;
	files: SessionPaths;
	/** Keeps a file of evidence. @returns its name */
	keep: (incident: string, name: string, content: string | Buffer) => Promise<string>;
	/** Lets QEMU make a further socket for as long as the result is not disposed of. */
	openSockets: () => Promise<AsyncDisposable>;
	/** Takes a file over as evidence. @returns its name */
	keepFile: (incident: string, name: string, path: string) => Promise<string>;
	/** @throws Error in words, when the host's disk has no room for a dump of the guest's memory */
	requireRoom: () => Promise<void>;
	/** Reads its screen; undefined when that is not looked at. */
	screens: ScreenReader | undefined;
	/** Whether its TPM lives; undefined when it has none. */
	tpmLives: (() => boolean) | undefined;
	/** How much is kept of a failure. */
	evidence: "screen" | "registers" | "dump";
	/** Disks that another session may want. */
	dataDisks: readonly Disk[];
	/** Lets its process come after all others. */
	rest: () => Promise<void>;
}

/** A running session, as the supervisor wants to see it. */
export class SessionMachine implements Machine {
	readonly session: Omit<SessionRecord, "readyAt">;
	readonly qemu: QemuMachine;
	private readonly around: Surroundings;
	private readonly screens: Screens;
	private parked = false;

	constructor(qemu: QemuMachine, session: Omit<SessionRecord, "readyAt">, around: Surroundings) {
		this.qemu = qemu;
		this.session = session;
		this.around = around;
		this.screens = around.screens
			? new RecognisedScreens(async () => await qemu.frame(frameWithinMs), around.screens)
			: noScreens;
	}

	async look(): Promise<Pulse> {
		const unknown = { services: {} };
		const [look, heard] = await Promise.all([this.qemu.look(), this.around.services().catch(() => unknown)]);
		const screen = await this.screenOf(look);
		const { console, output } = this.around.files;
		for (const log of [console, output]) await emptyWhenLarger(log, consoleLimitBytes).catch(() => false);
		const tpmGone = this.around.tpmLives?.() === false;
		return { ...look, ...heard, ...(screen && { screen }), ...(tpmGone && { tpmGone: true as const }) };
	}

	private async screenOf({ status, interrupts }: Look): Promise<Seen | undefined> {
		return status === "running" ? await this.screens.look(interrupts === "off") : undefined;
	}

	async pressPowerButton(): Promise<void> {
		await this.qemu.pressPowerButton();
	}

	async settle(): Promise<void> {
		// Its file systems are whole then, whoever mounts them next; it is never thawed.
		if (this.around.dataDisks.length > 0) await this.qemu.freezeFiles(settlesWithinMs).catch(() => {});
	}

	async resume(): Promise<void> {
		await this.qemu.resume();
	}

	async collectEvidence(incident: string): Promise<Evidence> {
		const { files, evidence } = this.around;
		const { screen, registers, transcript } = await this.qemu.evidence(evidence !== "screen");
		const seen = screen && (await this.screens.lookNow());
		const console = await readUntrustedTail(files.console, consoleTailBytes);
		const said = await readUntrustedTail(files.output, consoleTailBytes);
		const argv = await readUntrustedTail(files.argv, consoleTailBytes);
		const parts = {
			"screen.png": screen,
			"screen.txt": textOf(seen),
			"console.txt": console,
			"registers.txt": registers,
			"qmp.log": transcript,
			"argv.json": argv,
			"qemu.log": said,
		};
		const kept: string[] = [];
		for (const [name, content] of Object.entries(parts)) {
			if (content?.length) kept.push(await this.around.keep(incident, name, content));
		}
		const details = processorDetails(registers);
		// Only of a session that nobody waits for any more.
		if (evidence === "dump" && this.parked && isAlive(this.qemu.identity)) {
			const dumped = await this.dumpMemory(incident, dumpWithinMs).catch((error: unknown) => ({
				whyNot: explain(error),
			}));
			if (typeof dumped === "string") kept.push(dumped);
			else details["memory.dump"] = `could not be kept: ${dumped.whyNot}`;
		}
		return { files: kept, details, ...(seen && { screen: seen }) };
	}

	async letGuestDump(): Promise<void> {
		await this.qemu.letGuestDump();
	}

	async dumpMemory(
		incident: string,
		withinMs: number,
		onProgress: (percent: number) => void = () => {},
	): Promise<string> {
		await this.around.requireRoom();
		const file = await this.qemu.dumpMemory(withinMs, onProgress);
		return await this.around.keepFile(incident, "memory.dump", file);
	}

	async letGo(): Promise<"parked" | "ended" | "stuck"> {
		if (await this.qemu.letGoOf(this.around.dataDisks)) {
			if (!isAlive(this.qemu.identity)) return "ended";
			// Its evidence can be read without haste, and its users are not to wait for that either.
			void this.around.rest().catch(() => {});
			this.parked = true;
			return "parked";
		}
		return (await this.qemu.close(false)) ? "ended" : "stuck";
	}

	async close(politely: boolean): Promise<"ended" | "stuck"> {
		return (await this.qemu.close(politely)) ? "ended" : "stuck";
	}

	async inject(fault: Fault): Promise<void> {
		switch (fault) {
			case "panic":
				return await this.qemu.injectNmi();
			case "kill":
				return this.qemu.kill();
			case "freeze":
				return this.qemu.freeze();
			case "hang": {
				await using _ = await this.around.openSockets();
				return await this.qemu.hang();
			}
			default:
				return fault satisfies never;
		}
	}

	leave(): void {
		this.qemu.leave();
	}
}

/** What could be read off the screen; the guest's own words. */
function textOf(seen: Seen | undefined): string | undefined {
	if (seen?.kind !== "blue-screen" && seen?.kind !== "linux-panic") return undefined;
	return seen.text?.slice(0, consoleTailBytes);
}

function processorDetails(registers: string | undefined): Record<string, string> {
	const processors = readProcessors(registers ?? "");
	return Object.fromEntries(
		processors.map(({ at, halted, interruptsOn }, i) => [
			`processor ${i}`,
			`at ${at}, ${halted ? "halted" : "running"}, interrupts ${interruptsOn ? "on" : "off"}`,
		]),
	);
}
