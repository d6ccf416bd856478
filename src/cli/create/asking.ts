import type { z } from "zod";
import { BulkheadError } from "../../api/errors.ts";
import type { Context } from "../context.ts";
import { styled } from "../terminal.ts";

const mostTries = 3;

/** One thing that a wizard has to know. */
export interface Question {
	/** What it is asked for with, as `Edition`. */
	words: string;
	/** How it is said without being asked, as `--edition`. */
	option: string;
	given: string | undefined;
	/** What it is when nobody says anything; without, it has to be said. */
	fallback?: string;
	/** Choices to pick from by number; others may be typed too. */
	choices?: readonly string[];
	/** What is wrong with an answer, in one sentence; undefined when it will do. */
	wrong?: (answer: string) => string | undefined;
}

/** What a part of the site file's schema has against a text. */
export const ruleOf =
	(schema: z.ZodType) =>
	(text: unknown): string | undefined =>
		schema.safeParse(text).error?.issues[0]?.message;

/** Asks what was not said by an option, where somebody can be asked. */
export class Asking {
	readonly #context: Context;
	readonly #mayAsk: boolean;

	/** @param quiet nobody is asked, defaults hold */
	constructor(context: Context, quiet: boolean) {
		this.#context = context;
		this.#mayAsk = !quiet && !context.json && context.terminal.interactive;
	}

	get mayAsk(): boolean {
		return this.#mayAsk;
	}

	/** @throws BulkheadError bad-input when an answer is wrong, or missing with nobody to ask */
	async answer(question: Question): Promise<string> {
		const { given, option, fallback, wrong } = question;
		if (given === undefined && this.#mayAsk) return await this.#ask(question);
		const answer = given ?? fallback;
		if (answer === undefined)
			throw new BulkheadError("bad-input", `${option} is missing, and nobody can be asked for it here`);
		const problem = wrong?.(answer);
		if (problem !== undefined) throw new BulkheadError("bad-input", `${option}: ${problem}`);
		return answer;
	}

	async #ask({ words, fallback, choices = [], option, wrong }: Question): Promise<string> {
		const { terminal, signal } = this.#context;
		terminal.note(...choices.map((choice, index) => [`  ${index + 1}  `, choice]));
		const hint = fallback === undefined ? "" : ` [${fallback}]`;
		for (let left = mostTries; left > 0; left--) {
			const typed = await terminal.ask([styled(`${words}${hint}:`, "bold")], signal);
			const picked = /^\d+$/.test(typed) ? choices[Number(typed) - 1] : undefined;
			const answer = picked ?? (typed === "" ? fallback : typed);
			const problem = answer === undefined ? "it has to be said" : wrong?.(answer);
			if (answer !== undefined && problem === undefined) return answer;
			terminal.note([styled(problem ?? "", "yellow")]);
		}
		throw new BulkheadError("bad-input", `${option}: there was no answer that will do; nothing was changed`);
	}
}
