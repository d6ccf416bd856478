import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { burn } from "./burn.ts";

async function guestThat(status: number, says: string): Promise<number> {
	const server = createServer((_, response) => void response.writeHead(status).end(says));
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	onTestFinished(() => void server.close());
	return (server.address() as AddressInfo).port;
}

test("a guest burns when it says so", async () => {
	await burn(await guestThat(200, "burning cpu\n"), "cpu");
});

test.each([
	[500, "cannot fork"],
	[500, "burning cpu"],
	[404, "not found"],
	[200, "burning disk"],
	[200, ""],
])("one that answers %d %s idles", async (status, says) => {
	await expect(burn(await guestThat(status, says), "cpu")).rejects.toThrow("does not burn cpu");
});
