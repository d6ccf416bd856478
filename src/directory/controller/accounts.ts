import type { AdministerBody, Administered } from "../../api/domain.ts";
import { BulkheadError } from "../../api/errors.ts";

/** A guest's word: so many names, and so long, and no more. */
const mostNames = 100_000;
const longestName = 256;
const mostLines = 2000;
/** A line of a check names an object by all of its path, and what is wrong with it. */
const longestLine = 2000;

/** samba-tool ends with it when it has found something, and has told what on standard output; when it fails itself, with 255. */
const findingsCode = 1;
const inspections: readonly AdministerBody["what"][] = ["check", "replication"];
const lists: readonly AdministerBody["what"][] = ["users", "groups", "members"];

/** What a program is given: findingsCode is a code other than 0 that is an answer as well, when something was written to standard output */
interface RunOptions {
	input?: string;
	findingsCode?: number;
}

/** Runs a program in the controller's guest to its end. */
export type RunInGuest = (
	command: readonly string[],
	options: RunOptions,
) => Promise<{ code: number; output: string }>;

export type Answered = Omit<Administered, "server">;

/**
 * Asks a domain's controller for users and groups or to check itself, or changes them, by Samba's own tool in its guest.
 * @returns names in the order of the alphabet
 * @throws what `run` does; BulkheadError guest-did-not-answer for more names than anybody has
 */
export async function administer(wanted: AdministerBody, run: RunInGuest): Promise<Answered> {
	const isInspection = inspections.includes(wanted.what);
	const { code, output } = await run(["/usr/bin/samba-tool", ...wordsFor(wanted)], {
		...secretFor(wanted),
		...(isInspection ? { findingsCode } : {}),
	});
	return {
		names: lists.includes(wanted.what) ? namesIn(output) : [],
		findings: isInspection ? { ok: code === 0, lines: linesIn(output) } : null,
	};
}

/** Names come after `--`, so that none is taken for an option. */
function wordsFor(wanted: AdministerBody): string[] {
	switch (wanted.what) {
		case "check":
			return ["dbcheck", "--cross-ncs"];
		case "replication":
			return ["drs", "showrepl", "--summary"];
		case "users":
			return ["user", "list"];
		case "add-user":
			return ["user", "create", "--", wanted.user];
		case "set-password":
			return ["user", "setpassword", "--", wanted.user];
		case "disable-user":
			return ["user", "disable", "--", wanted.user];
		case "enable-user":
			return ["user", "enable", "--", wanted.user];
		case "groups":
			return ["group", "list"];
		case "members":
			return ["group", "listmembers", "--", wanted.group];
		case "add-group":
			return ["group", "add", "--", wanted.group];
		case "add-member":
			return ["group", "addmembers", "--", wanted.group, wanted.user];
		case "remove-member":
			return ["group", "removemembers", "--", wanted.group, wanted.user];
	}
}

/** It asks for a password twice, and reads standard input where there is no terminal. */
function secretFor(wanted: AdministerBody): Pick<RunOptions, "input"> {
	return "password" in wanted ? { input: `${wanted.password}\n${wanted.password}\n` } : {};
}

function namesIn(said: string): string[] {
	const names = said
		.split("\n")
		.map((line) => line.trim())
		.filter((name) => name !== "" && name.length <= longestName && !/\p{Cc}/u.test(name));
	if (names.length > mostNames)
		throw new BulkheadError(
			"guest-did-not-answer",
			`the controller names more than ${mostNames}: they are not taken; ask for them from a member of the domain`,
		);
	return names.sort();
}

/** As they were written; what is too much is said to be left out. */
function linesIn(said: string): string[] {
	const lines = said
		.split("\n")
		.map((line) =>
			line
				.replaceAll("\t", "  ")
				.replaceAll(/\p{Cc}+/gu, " ")
				.trimEnd(),
		)
		.filter((line) => line !== "")
		.map((line) => (line.length > longestLine ? `${line.slice(0, longestLine)}…` : line));
	const more = lines.length - mostLines;
	if (more <= 0) return lines;
	// A check's last line counts what it found.
	return [...lines.slice(0, mostLines), `… ${more} more lines; the last one:`, ...lines.slice(-1)];
}

/** What Samba's tool has to say of a failure, without how it came to it; pure. */
export function wordsOfTool(said: string): string {
	const line = said.split("\n").find((text) => text.startsWith("ERROR")) ?? said;
	const words = line
		.replace(/^ERROR(\([^)]*\))?:\s*/, "")
		.replace(/^.*check_password_restrictions: /, "password: ")
		.replace(/["')!]+$/, "");
	return words.replaceAll(/\p{Cc}+/gu, " ").slice(0, 300);
}
