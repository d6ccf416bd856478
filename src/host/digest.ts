import { run } from "./command.ts";

/**
 * The checksum of a stretch of a file, as hexadecimal digits. It is reckoned by another process: a large file keeps nobody
 * waiting here.
 * @throws CommandError
 */
export async function digestOf(
	path: string,
	algorithm: "sha1" | "sha256" | "sha512",
	stretch: { offset: number; size: number },
	options: { deadlineMs: number; signal?: AbortSignal },
): Promise<string> {
	const script = 'tail -c "+$2" -- "$1" | head -c "$3" | nice "$4"';
	const words = ["sh", path, String(stretch.offset + 1), String(stretch.size), `${algorithm}sum`];
	const { stdout } = await run("sh", ["-c", script, ...words], options);
	return stdout.split(" ")[0] ?? "";
}
