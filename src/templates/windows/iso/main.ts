import { fstatSync, readSync } from "node:fs";
import { inspect } from "./inspect.ts";
import { BadImage, sourceOf } from "./source.ts";

/**
 * Reads an ISO image from standard input, a file, in a process that may do nothing else: see inspect-iso.ts beside this folder.
 * Writes one line of JSON, `{ medium }` or `{ bad }`. Nothing outside of this folder is imported: nothing else is there.
 */
const input = 0;

function answer(): object {
	try {
		const { size } = fstatSync(input);
		const source = sourceOf(size, (buffer, offset) => readSync(input, buffer, 0, buffer.length, offset));
		return { medium: inspect(source) };
	} catch (error) {
		if (error instanceof BadImage) return { bad: error.message };
		// Every place in a buffer that is not there, for which somebody forgot to look.
		if (error instanceof RangeError) return { bad: "it is damaged" };
		throw error;
	}
}

process.stdout.write(`${JSON.stringify(answer())}\n`);
