import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import type { Protocol } from "./clients/protocol.ts";
import { Users } from "./users.ts";

const protocol: Protocol = {
	...{ name: "ldap", service: "ldap", listen: 0, asksEach: 1, thinkMs: 1 },
	visit: async () => {
		throw new TypeError("a mistake of the client's own");
	},
};

test("a client that cannot go on is told to who checks, and ends nothing by itself", async () => {
	await using users = new Users([protocol], 2);
	// A rejection that nobody looks at would end the process by now.
	await delay(20);
	expect(() => users.check()).toThrow("client 0 of ldap failed");
	await expect(users.stop()).rejects.toThrow("client 0 of ldap failed");
});
