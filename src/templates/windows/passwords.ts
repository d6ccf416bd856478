import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { BulkheadError } from "../../api/errors.ts";
import { type Answers, domainRoleOf, type WindowsVersion } from "../../api/windows.ts";
import { type PasswordUse, windowsPasswordProblem } from "../../api/windows-passwords.ts";
import { errorCode } from "../../host/files.ts";

/** The passwords that an installation needs; what has no use is not there. */
export interface Passwords {
	administrator: string;
	/** For Directory Services Restore Mode. */
	recovery?: string;
	/** Of who adds the computer to a domain. */
	join?: string;
}

const largest = 4096;

/**
 * Reads the files of passwords that answers name, and looks whether Windows will take them.
 * @throws BulkheadError bad-input that names the field, and no password
 */
export async function readPasswords(version: WindowsVersion, answers: Answers): Promise<Passwords> {
	const role = domainRoleOf(answers);
	const read = async (use: PasswordUse, field: string, path: string, administrator?: string) => {
		const password = await passwordOf(field, path);
		const setting = { version, role: role?.role, administrator };
		const wrong = windowsPasswordProblem(use, password, setting);
		if (wrong !== undefined) refuse(field, path, wrong);
		return password;
	};
	const { passwordFile } = answers.administrator;
	const administrator = await read("administrator", "administrator.passwordFile", passwordFile);
	if (!role) return { administrator };
	const at = `roles.${answers.roles?.indexOf(role) ?? 0}`;
	const join =
		"passwordFile" in role ? await read("join", `${at}.passwordFile`, role.passwordFile) : undefined;
	const recovery =
		"recoveryPasswordFile" in role
			? await read("recovery", `${at}.recoveryPasswordFile`, role.recoveryPasswordFile, administrator)
			: undefined;
	return { administrator, ...(join ? { join } : {}), ...(recovery ? { recovery } : {}) };
}

function refuse(field: string, path: string, why: string, cause?: unknown): never {
	const where = path === "" ? "" : `${path}: `;
	throw new BulkheadError("bad-input", `${where}${why}`, {
		cause,
		problems: [{ field: `answers.${field}`, message: `${where}${why}` }],
	});
}

/** A file that others may read, or write, holds no secret. */
async function passwordOf(field: string, path: string): Promise<string> {
	// Not waiting for the other end of a pipe, not following a link that somebody else has put there.
	const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
		(error: unknown) => {
			const why =
				errorCode(error) === "ENOENT" ? "there is no such file" : "it cannot be read, or it is a link";
			return refuse(field, path, `${why}; write the password on its first line, and chmod 600`, error);
		},
	);
	try {
		const facts = await file.stat();
		if (!facts.isFile()) refuse(field, path, "it is no plain file");
		const owners = [0, process.getuid?.()];
		if ((facts.mode & 0o077) !== 0 || !owners.includes(facts.uid))
			refuse(field, path, "others may read it: chown root, chmod 600");
		const { bytesRead, buffer } = await file.read(Buffer.alloc(largest), 0, largest, 0);
		const line = buffer.subarray(0, bytesRead).toString("utf8").split(/\r?\n/)[0] ?? "";
		if (line === "") refuse(field, path, "its first line is empty; write the password there");
		if (line.includes("\ufffd") || line.startsWith("\ufeff"))
			refuse(field, path, "it is not UTF-8 text, or begins with a byte order mark");
		return line;
	} finally {
		await file.close();
	}
}
