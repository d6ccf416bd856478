import type { ListrTask } from "listr2";
import { formatDuration } from "../api/units.ts";
import type { Ongoing } from "../client/progress.ts";
import { clean, type Terminal } from "./terminal.ts";
import { pad, widthOf } from "./width.ts";

/** Shows how a long task goes on. */
export interface ProgressView {
	show(progress: Ongoing): void;
	/** @param failed true when what is not done yet has failed */
	end(failed: boolean): Promise<void>;
}

export function createProgressView(terminal: Terminal, json: boolean): ProgressView {
	if (json) return { show: () => {}, end: async () => {} };
	return terminal.width === undefined ? new ProgressLines(terminal) : new ProgressTasks(terminal);
}

/** A line for each thing that is said, and for each quarter of what can be measured: for logs. */
class ProgressLines implements ProgressView {
	readonly #terminal: Terminal;
	readonly #last = new Map<string, string>();

	constructor(terminal: Terminal) {
		this.#terminal = terminal;
	}

	show(progress: Ongoing): void {
		const said = progress.type === "done" ? "done" : stepText(progress);
		if (this.#last.get(progress.subject) === said) return;
		this.#last.set(progress.subject, said);
		this.#terminal.print([`${progress.subject}: ${said}`]);
	}

	async end(): Promise<void> {}
}

function stepText({ text, fraction }: Extract<Ongoing, { type: "step" }>): string {
	const quarter = fraction === null ? 0 : Math.floor(fraction * 4) * 25;
	return quarter > 0 ? `${text} (${quarter} %)` : text;
}

interface Subject {
	readonly name: string;
	readonly since: number;
	readonly ended: PromiseWithResolvers<void>;
	text: string;
	fraction: number | null;
	/** Draws it again once its task runs. */
	redraw?: () => void;
}

/** One task a subject. Subjects become known one by one, so those that come while a list runs make the next list. */
class ProgressTasks implements ProgressView {
	readonly #terminal: Terminal;
	readonly #open = new Map<string, Subject>();
	#waiting: Subject[] = [];
	#drawing: Promise<void> | undefined;

	constructor(terminal: Terminal) {
		this.#terminal = terminal;
	}

	show(progress: Ongoing): void {
		const subject = this.#open.get(progress.subject) ?? this.#begin(progress.subject);
		if (progress.type === "step") {
			Object.assign(subject, { text: progress.text, fraction: progress.fraction });
			subject.redraw?.();
		} else {
			this.#open.delete(progress.subject);
			subject.ended.resolve();
		}
	}

	async end(failed: boolean): Promise<void> {
		for (const { ended, text } of this.#open.values()) {
			if (failed) ended.reject(new Error(clean(text)));
			else ended.resolve();
		}
		await this.#drawing;
	}

	#begin(name: string): Subject {
		const ended = Promise.withResolvers<void>();
		// It may fail before its task is drawn and waits for it.
		ended.promise.catch(() => {});
		const subject: Subject = { name, since: performance.now(), ended, text: "", fraction: null };
		this.#open.set(name, subject);
		this.#waiting.push(subject);
		this.#drawing ??= this.#draw().finally(() => {
			this.#drawing = undefined;
		});
		return subject;
	}

	async #draw(): Promise<void> {
		while (this.#waiting.length > 0) {
			const tasks = this.#waiting.splice(0).map((subject) => this.#task(subject));
			const rendererOptions = { formatOutput: "truncate", showErrorMessage: false } as const;
			const options = {
				concurrent: true,
				exitOnError: false,
				registerSignalListeners: false,
				rendererOptions,
			};
			const { Listr } = await import("listr2");
			await new Listr(tasks, options).run();
		}
	}

	#task(subject: Subject): ListrTask {
		return {
			title: clean(subject.name),
			task: async (_, task) => {
				subject.redraw = () => {
					task.title = progressTitle(subject, this.#terminal.unicode);
				};
				subject.redraw();
				await subject.ended.promise;
				task.title = `${clean(subject.name)} (${formatDuration(performance.now() - subject.since)})`;
			},
		};
	}
}

const barCells = 20;

/** `template debian-web  ████████░░░░░░░░░░░░  42 %  packing`. */
export function progressTitle(
	subject: Pick<Subject, "name" | "text" | "fraction">,
	unicode: boolean,
): string {
	const name = clean(subject.name);
	const text = clean(subject.text);
	if (subject.fraction === null) return `${name}  ${text}`;
	const [full, empty] = unicode ? ["█", "░"] : ["#", "."];
	const fraction = Math.min(1, Math.max(0, subject.fraction));
	const filled = Math.round(fraction * barCells);
	const bar = full.repeat(filled) + empty.repeat(barCells - filled);
	return `${pad(name, Math.max(20, widthOf(name)))}  ${bar}  ${pad(String(Math.floor(fraction * 100)), 3, "right")} %  ${text}`;
}
