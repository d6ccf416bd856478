import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { run } from "../../host/command.ts";

/** In a process of its own: nothing else ends an expression that goes on. */
const reader = `
import { extentsOf } from ${JSON.stringify(fileURLToPath(new URL("vmdk.ts", import.meta.url)))};
import { longestDescriptor } from ${JSON.stringify(fileURLToPath(new URL("formats.ts", import.meta.url)))};
const begin = "# Disk DescriptorFile";
const text = begin + process.argv[1].repeat(longestDescriptor - begin.length - 1) + "x";
for (let i = 0; i < 10; i++)
	try {
		extentsOf(text, ["monolithicFlat"]);
	} catch (error) {
		process.stdout.write(error.message.slice(0, 12) + "\\n");
	}`;

test.each([
	["line ends", "\n"],
	["blanks", " "],
])("a long descriptor of %s keeps nobody waiting", async (_, sign) => {
	const args = ["--disable-warning=ExperimentalWarning", "--input-type=module", "-e", reader, sign];
	const { stdout } = await run(process.execPath, args, { deadlineMs: 15_000 });
	expect(stdout).toBe("is a VMDK of\n".repeat(10));
});
