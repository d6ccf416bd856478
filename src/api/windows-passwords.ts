import { isOld, type RoleName, type WindowsVersion } from "./windows.ts";

/** What a password is for: the new Administrator, restoring the directory, or an account of a domain that is there already. */
export type PasswordUse = "administrator" | "recovery" | "join";

/** What else decides whether a password will do. */
export interface PasswordSetting {
	version: WindowsVersion;
	/** What the server is to a domain; undefined when it is in none. */
	role?: RoleName | undefined;
	/** The Administrator's password, as far as it is known. */
	administrator?: string | undefined;
}

/**
 * What stands against a password of an unattended installation.
 * @returns one sentence without the password, or undefined when it will do
 */
export function windowsPasswordProblem(
	use: PasswordUse,
	password: string,
	{ version, role, administrator }: PasswordSetting,
): string | undefined {
	// dcpromo has an answer file of the old kind in Windows Server 2008 R2 too.
	const dcpromo = version === "windows-server-2008-r2" && role !== undefined && role !== "member";
	const plain = isOld(version) || (dcpromo && use !== "administrator");
	const inFile = plain ? oldPasswordProblem(password) : undefined;
	switch (use) {
		case "administrator":
			return policyProblem(password, "Administrator") ?? inFile;
		case "recovery":
			return policyProblem(password, "") ?? inFile ?? sameProblem(password, administrator);
		// Somebody else has chosen it: what its domain takes is that domain's to say.
		case "join":
			return inFile;
	}
}

function sameProblem(password: string, administrator: string | undefined): string | undefined {
	return password === administrator
		? "it is the Administrator's password; Microsoft wants another one for restoring the directory"
		: undefined;
}

/** Longest password that Windows's own dialogs take. */
const longest = 127;
const shortest = 7;
const neededKinds = 3;

/** The kinds of characters of which Windows's policy wants three ("Password must meet complexity requirements"). */
const kinds = [/\p{Lu}/u, /\p{Ll}/u, /\d/, /[\p{P}\p{S} ]/u, /[\p{Lo}\p{Lt}\p{Lm}]/u];

/**
 * What stands against a password by the policy that Windows has when nobody changed it, that of a domain included: Setup
 * would stop at a question, or no domain could be made.
 * Source: Microsoft, "Password must meet complexity requirements", "Minimum password length".
 * @param account whose name must not be in it
 * @returns one sentence without the password, or undefined when it will do
 */
function policyProblem(password: string, account: string): string | undefined {
	if (/\p{Cc}/u.test(password)) return "it has control characters; use what can be typed on one line";
	if (/^\s|\s$/u.test(password)) return "it begins or ends with a space; leave that out";
	if (password.length < shortest)
		return `it has ${password.length} characters; Windows wants ${shortest} at least`;
	if (password.length > longest) return `it is longer than the ${longest} characters that Windows takes`;
	if (kinds.filter((kind) => kind.test(password)).length < neededKinds)
		return "Windows wants three of these: upper-case letters, lower-case letters, digits, other characters";
	if (account.length > 2 && password.toLowerCase().includes(account.toLowerCase()))
		return `it holds the name ${account}, which Windows refuses; choose another`;
	return undefined;
}

/** What cannot stand in an answer file of before 2008, where nothing can be escaped. */
function oldPasswordProblem(password: string): string | undefined {
	return /^[\x20-\x7e]+$/.test(password) && !/["%]/.test(password)
		? undefined
		: 'for this Windows it may have letters, digits and ASCII signs without " and %: its answer file cannot hold others';
}
