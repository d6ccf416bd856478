import type { AdministerBody } from "../../api/domain.ts";

/** A guest's word: so many names, and so long, and no more. */
const mostNames = 20_000;
const longestName = 256;

const asking = ["check", "replication", "users", "groups", "members"] as const;

/** Runs a program in the controller's guest. @returns what it wrote to standard output */
export type RunInGuest = (command: readonly string[], input?: string) => Promise<string>;

/**
 * Asks a domain's controller for users and groups, or changes them, by Samba's own tool in its guest.
 * @returns the names (of a check: the lines) that were asked for, in the order of the alphabet; none for a change
 * @throws what `run` does
 */
export async function administer(wanted: AdministerBody, run: RunInGuest): Promise<string[]> {
	const said = await run(["/usr/bin/samba-tool", ...wordsFor(wanted)], secretFor(wanted));
	return (asking as readonly string[]).includes(wanted.what) ? namesIn(said) : [];
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
function secretFor(wanted: AdministerBody): string | undefined {
	return "password" in wanted ? `${wanted.password}\n${wanted.password}\n` : undefined;
}

function namesIn(said: string): string[] {
	const names = said.split("\n").map((line) => line.trim());
	return names
		.filter((name) => name !== "" && name.length <= longestName && !/\p{Cc}/u.test(name))
		.slice(0, mostNames)
		.sort();
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
