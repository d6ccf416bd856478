import { expect, test } from "vitest";
import type { Pulse } from "./evidence.ts";
import type { Ledger } from "./ledger.ts";
import { Newcomers } from "./newcomers.ts";
import { newRecord, type ServerRecord, type SessionRecord } from "./state.ts";

function newcomers(running = true) {
	let saved = 0;
	let record: ServerRecord = { ...newRecord(), session: running ? ({ number: 1 } as SessionRecord) : null };
	const ledger = {
		get record() {
			return record;
		},
		set: (changes: Partial<ServerRecord>) => {
			record = { ...record, ...changes };
		},
		save: async () => {
			saved++;
		},
	} as unknown as Ledger;
	const of = new Newcomers(ledger);
	const unproven = () => of.mark({ agent: true, services: ["http", "ssh", "ldap"] }).unproven ?? [];
	const hear = async (services: Pulse["services"]) => await of.hear({ services } as Pulse);
	return { of, unproven, hear, saved: () => saved };
}

test("a service that is new to a session proves nothing until it has answered once", async () => {
	const { of, unproven, hear, saved } = newcomers();
	await of.change(["http"], ["http", "ssh", "ldap"]);
	expect(unproven()).toEqual(["ssh", "ldap"]);
	await hear({ http: "up", ssh: "down", ldap: "unknown" });
	expect(unproven()).toEqual(["ssh", "ldap"]);
	await hear({ http: "up", ssh: "up", ldap: "down" });
	expect(unproven()).toEqual(["ldap"]);
	await hear({ http: "down", ssh: "down", ldap: "down" });
	expect(unproven()).toEqual(["ldap"]);
	expect(saved()).toBe(2);
});

test("one that is taken back is forgotten, and one that comes back is new", async () => {
	const { of, unproven, hear } = newcomers();
	await of.change(["http"], ["http", "ssh"]);
	await hear({ ssh: "up" });
	await of.change(["http", "ssh"], ["http"]);
	await of.change(["http"], ["http", "ssh"]);
	expect(unproven()).toEqual(["ssh"]);
	await of.change(["http", "ssh"], ["http"]);
	expect(unproven()).toEqual([]);
});

test("one that is published at one more port is new", async () => {
	const { of, unproven } = newcomers();
	await of.change(["http"], ["http", "http"]);
	expect(unproven()).toEqual(["http"]);
});

test("a server without a session is not ready before all of its services are", async () => {
	const { of, unproven } = newcomers(false);
	await of.change(["http"], ["http", "ssh"]);
	expect(unproven()).toEqual([]);
});
