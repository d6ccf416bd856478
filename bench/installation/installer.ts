import { createWriteStream } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { screenshotPath } from "../../src/client/http.ts";
import type { Lab } from "../lab.ts";

const menuWithinMs = 240_000;
const installedWithinMs = 3_600_000;
const stillMs = 600_000;
const lookEveryMs = 10_000;
/** The installer's boot menu has a picture behind it; the firmware's screens before it are text on black. */
const pictureBytes = 20_000;

/** A step of the installation: when it began, in seconds since the start, and its picture. */
export interface Step {
	name: string;
	atSeconds: number;
	screenshot: string;
}

/** The installation as somebody follows it who sits before the server's screen and its serial console. */
export class Watcher implements AsyncDisposable {
	readonly steps: Step[] = [];
	private readonly lab: Lab;
	private readonly server: string;
	private readonly folder: string;
	private readonly began: number;
	private console: Duplex | undefined;
	private partial = "";
	private heardAt = performance.now();
	/** Bytes of the picture that is kept of the step. */
	private fullest = 0;

	/** @param began what times are counted from, as `performance.now()` gave it */
	constructor(lab: Lab, server: string, folder: string, began: number) {
		this.began = began;
		this.lab = lab;
		this.server = server;
		this.folder = folder;
	}

	/** Listens to the serial console: the installer's log comes there, and goes into a file. */
	async listen(signal: AbortSignal): Promise<void> {
		await mkdir(this.folder, { recursive: true });
		const log = createWriteStream(join(this.folder, "serial.log"));
		const stream = await this.lab.client.console(this.server, { signal });
		this.console = stream;
		stream.on("data", (bytes: Buffer) => this.hear(bytes.toString("utf8")));
		stream.on("error", () => stream.destroy());
		stream.pipe(log);
	}

	/** Waits for the boot menu, which waits for a key. @throws Error when it does not come */
	async menu(signal: AbortSignal): Promise<void> {
		const end = performance.now() + menuWithinMs;
		for (let before: Buffer | undefined; ; ) {
			const picture = await this.picture(signal);
			if (picture && picture.length > pictureBytes && before?.equals(picture)) break;
			if (performance.now() > end) throw new Error("the installer's boot menu did not come up");
			before = picture;
			await delay(1000, undefined, { signal });
		}
		await this.step("boot menu");
	}

	/**
	 * Waits until the server answers, which it does when it is installed.
	 * @throws Error after an hour, or when the installer has stood still for minutes, as when it asks something
	 */
	async installed(signal: AbortSignal): Promise<void> {
		const still = new AbortController();
		this.heardAt = performance.now();
		const looks = setInterval(() => {
			if (performance.now() - this.heardAt > stillMs) still.abort();
			void this.look().catch(console.error);
		}, lookEveryMs);
		try {
			const either = AbortSignal.any([signal, still.signal]);
			await this.lab.until(this.server, ({ state }) => state === "running", installedWithinMs, either);
		} catch (error) {
			signal.throwIfAborted();
			await this.step("the end");
			if (!still.signal.aborted) throw error;
			const picture = join(this.folder, this.steps.at(-1)?.screenshot ?? "");
			throw new Error(
				`the installer has stood still for ${stillMs / 60_000} minutes; its screen: ${picture}`,
				{ cause: error },
			);
		} finally {
			clearInterval(looks);
		}
	}

	/** Notes that a step begins, with a picture of the screen. */
	async step(name: string): Promise<void> {
		const atSeconds = Math.round((performance.now() - this.began) / 1000);
		const number = String(this.steps.length + 1).padStart(2, "0");
		const screenshot = `${number}-${name.replaceAll(/[^a-z0-9]+/gi, "-")}.png`;
		this.steps.push({ name, atSeconds, screenshot });
		console.log(`  ${`${atSeconds} s`.padStart(7)}  ${name}`);
		this.fullest = 0;
		await this.look();
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.console?.destroy();
	}

	/** Keeps the picture of a step with most on it: between its windows the installer's screen is empty. */
	private async look(): Promise<void> {
		const { screenshot } = this.steps.at(-1) ?? {};
		const picture = await this.picture(AbortSignal.timeout(20_000));
		if (!picture || screenshot === undefined || picture.length <= this.fullest) return;
		this.fullest = picture.length;
		await writeFile(join(this.folder, screenshot), picture);
	}

	/** @returns undefined while there is no session to make one of */
	private async picture(signal: AbortSignal): Promise<Buffer | undefined> {
		return await this.lab.client
			.bytes(screenshotPath(this.server), { signal, deadlineMs: 15_000 })
			.catch(() => undefined);
	}

	private hear(text: string): void {
		this.heardAt = performance.now();
		const lines = (this.partial + text).split("\n");
		this.partial = (lines.pop() ?? "").slice(-2000);
		for (const line of lines) {
			const name = stepIn(line);
			// The installer comes back to its menu items, and its own kernel is the first of two.
			const isNew = name !== undefined && this.steps.at(-1)?.name !== name;
			if (isNew) void this.step(name).catch(console.error);
		}
	}
}

/** @returns the step of the installer, or of the first boot, that a line of the serial console begins */
export function stepIn(line: string): string | undefined {
	const item = /main-menu\[\d+\]: INFO: Menu item '([a-z0-9-]+)' selected/.exec(line)?.[1];
	if (item !== undefined) return titles[item];
	if (/\[ +0\.0+\] Linux version \S/.test(line)) return "kernel starts";
	return undefined;
}

/** The installer's menu items that take time. */
const titles: Readonly<Record<string, string>> = {
	netcfg: "network: DHCP of the sandbox",
	"choose-mirror": "mirror, through the proxy",
	"download-installer": "rest of the installer",
	"disk-detect": "disks",
	"partman-base": "partitions",
	"bootstrap-base": "base system",
	"apt-setup-udeb": "apt",
	pkgsel: "packages",
	"grub-installer": "boot loader",
	"finish-install": "end of the installation",
};
