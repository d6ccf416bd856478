import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { BadNews, reportFailure } from "./failure.ts";
import { Interrupted } from "./interrupted.ts";
import { Terminal } from "./terminal.ts";

test.each([
	[new Interrupted(), false, { code: 130, documents: 1 }],
	[new Interrupted(), true, { code: 130, documents: 1 }],
	[new BadNews("errors"), true, { code: 1, documents: 1 }],
	[new Error("broke off"), false, { code: 1, documents: 1 }],
])("%s ends a command with one document of JSON (answered before: %s)", (error, answered, expected) => {
	const [output, errors] = [new PassThrough(), new PassThrough()];
	const terminal = new Terminal({ input: new PassThrough(), output, errors, environment: {} });
	if (answered) terminal.json({ served: true });
	const code = reportFailure(error, terminal, true);
	const said = String(output.read());
	expect({ code, documents: said.match(/^\{$/gm)?.length }).toEqual(expected);
	expect(JSON.parse(said)).toHaveProperty(answered ? "served" : "error");
	expect(errors.read()).toBeNull();
});
