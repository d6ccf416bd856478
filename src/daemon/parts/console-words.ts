import { stripVTControlCharacters } from "node:util";
import { readUntrustedTail } from "../../host/files.ts";

const tailBytes = 4096;
const [mostLines, mostCharacters] = [3, 400];

/**
 * What a guest wrote to its console last, for a message: who has only heard that it was not ready in time has nothing to go by.
 * @param console its log, which a captured QEMU may have put anything in the place of
 * @returns words in one line; nothing for a guest that wrote none
 */
export async function consoleWords(console: string): Promise<string> {
	const tail = await readUntrustedTail(console, tailBytes).catch(() => undefined);
	const last = plainLines(tail?.toString("utf8") ?? "")
		.slice(-mostLines)
		.join(" / ")
		.slice(-mostCharacters);
	return last === "" ? "" : `; its console ends with: ${last}`;
}

/** Lines that say something, without what moves a terminal's cursor. Pure. */
export function plainLines(text: string): string[] {
	const lines = stripVTControlCharacters(text).split(/[\r\n]+/);
	return lines.map((line) => line.replaceAll(/\p{C}/gu, "").trim()).filter((line) => line !== "");
}
