import { styleText } from "node:util";
import type { SteadyClient } from "../steady-client.ts";

const slotMs = 250;
const slots = 48;
/** Longer than this, a user would notice. */
const slowMs = 400;

/**
 * A line that moves: each character is a quarter of a second of one server's requests. `·` all answered, `▒` waited and
 * were then answered, `x` failed, `?` still wait.
 */
export class Ticker {
	private readonly clients: ReadonlyMap<string, SteadyClient>;
	private readonly live = process.stdout.isTTY === true;
	private timer: NodeJS.Timeout | undefined;
	private title = "";
	private drawn = 0;

	constructor(clients: ReadonlyMap<string, SteadyClient>) {
		this.clients = clients;
	}

	/** Begins to draw, where there is a terminal to draw on. */
	start(title: string): void {
		this.title = title;
		if (this.live) this.timer = setInterval(() => this.draw(), 100);
		else console.log(title);
	}

	/** Leaves the last picture standing. */
	stop(): void {
		clearInterval(this.timer);
		if (!this.live) for (const line of this.lines(Date.now())) console.log(line);
		else this.draw();
		this.drawn = 0;
	}

	private draw(): void {
		const lines = [this.title, ...this.lines(Date.now())];
		if (this.drawn > 0) process.stdout.write(`\x1b[${this.drawn}A`);
		for (const line of lines) process.stdout.write(`\x1b[2K${line}\n`);
		this.drawn = lines.length;
	}

	private lines(now: number): string[] {
		const width = Math.max(...[...this.clients.keys()].map((name) => name.length));
		return [...this.clients].map(([name, client]) => `  ${name.padEnd(width)} ${picture(client, now)}`);
	}
}

function picture(client: SteadyClient, now: number): string {
	return Array.from({ length: slots }, (_, i) => slot(client, now - (slots - i) * slotMs)).join("");
}

function slot(client: SteadyClient, from: number): string {
	const inside = ({ at }: { at: number }) => at >= from && at < from + slotMs;
	const samples = client.samples.filter(inside);
	if (samples.some(({ ok }) => !ok)) return styleText("red", "x");
	if (client.waiting.some(({ at }) => inside({ at }) && Date.now() - at > slowMs))
		return styleText("yellow", "?");
	if (samples.length === 0) return " ";
	return samples.some(({ ms }) => ms > slowMs) ? styleText("yellow", "▒") : styleText("green", "·");
}
