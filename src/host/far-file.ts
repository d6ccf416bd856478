import { withDeadline } from "./clock.ts";
import { CommandError, run } from "./command.ts";

const kinds = 0o170_000;
const regular = 0o100_000;
/** How long a file may take that somebody waits for, in milliseconds; a disk that rests has to begin turning first. */
export const farWithinMs = 10_000;

export interface FarFile {
	isFile: boolean;
	/** Its kind and who may do what, as in stat(2). */
	mode: number;
}

/**
 * Looks at a file that may lie on a disk or a share that never answers. A process of its own waits for it: here each look
 * would keep one of the four threads that there are for all files, and for good.
 * @returns undefined when there is no such file
 * @throws DeadlineError when nothing is known of it within so many milliseconds; Error in words when it cannot be looked at
 */
export async function lookAtFarFile(path: string, withinMs: number): Promise<FarFile | undefined> {
	try {
		const mode = await withDeadline(`looking at ${path}`, withinMs, async (signal) => {
			const options = { deadlineMs: 2 * withinMs, signal, env: { LC_ALL: "C" } };
			const { stdout } = await run("stat", ["--dereference", "--format=%f", "--", path], options);
			return Number.parseInt(stdout, 16);
		});
		return { isFile: (mode & kinds) === regular, mode };
	} catch (error) {
		// Its name may have anything in it; the reason comes last.
		const why = error instanceof CommandError ? error.stderr.trim().split(": ").at(-1) : undefined;
		if (why === "No such file or directory" || why === "Not a directory") return undefined;
		throw why ? new Error(why) : error;
	}
}
