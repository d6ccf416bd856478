import { beforeEach, expect, test } from "vitest";
import { type ControllerHealth, services } from "../directory/member/controllers.ts";
import { type Forwarding, forwardingOf } from "../directory/member/dns/forwarder.ts";
import type { Member } from "../directory/member/plan.ts";
import type { Context } from "./context.ts";
import { DomainNames } from "./domain-names.ts";

const member: Member = {
	...{ realm: "AD.EXAMPLE.COM", workgroup: "AD", name: "HOST1", controllers: ["10.0.0.1", "10.0.0.2"] },
	...{ joinedAt: 0, logins: false, allowed: null, admins: null, dns: "resolv.conf" },
};
const whole = (address: string): ControllerHealth => ({ address, answers: services });
const silent = (address: string): ControllerHealth => ({ address, answers: [] });
const both = [whole("10.0.0.1"), whole("10.0.0.2")];

/** What dnsmasq was told, and how often it was begun. */
let told: Forwarding | undefined;
let begun = 0;
let tellings = 0;
let others: string[] = [];
let names: DomainNames;

beforeEach(() => {
	[told, begun, tellings, others] = [undefined, 0, 0, ["192.0.2.53", "198.51.100.53"]];
	names = new DomainNames(
		{ paths: { state: "/nowhere", domain: "/nowhere/domain" } } as unknown as Context,
		new AbortController().signal,
		{
			currentNames: async () => ({ first: true, others }),
			forwardedBy: async () => told,
			forwarderWords: async () => "dnsmasq ends, and says nothing",
			isNameServer: async () => true,
			leadResolved: async () => {},
			begin: async (_, forwarding) => {
				told = forwarding;
				begun++;
			},
			tellForwarder: async (_, servers) => {
				told = { config: told?.config ?? "", servers };
				tellings++;
			},
		},
	);
});
const asks = () => told?.servers.match(/(?<=^server=).*$/gm);

test("the domain's names are asked for where they are answered, and all others of the first name server alone", async () => {
	await names.keep(member, both);
	expect(asks()).toEqual(["192.0.2.53", "/ad.example.com/10.0.0.1", "/ad.example.com/10.0.0.2"]);
	const without = [silent("10.0.0.1"), whole("10.0.0.2")];
	await names.keep(member, without);
	expect(begun).toBe(1);
	await names.keep(member, without);
	expect(asks()).toEqual(["192.0.2.53", "/ad.example.com/10.0.0.2"]);
	await names.keep(member, both);
	expect(asks()).toHaveLength(3);
});

test("who is asked may change again at once, and what asks goes on", async () => {
	for (const found of [both, both.slice(0, 1), both.slice(1), both]) await names.keep(member, found);
	others = ["203.0.113.53"];
	await names.keep(member, both);
	expect([begun, asks()?.[0]]).toEqual([1, "203.0.113.53"]);
});

test("what an earlier daemon wrote down, and may not have told, is told once", async () => {
	told = forwardingOf({ realm: member.realm, controllers: member.controllers }, others[0] ?? null);
	for (let i = 0; i < 3; i++) await names.keep(member, both);
	expect([begun, tellings]).toEqual([0, 1]);
});

test("one that was begun otherwise is begun anew", async () => {
	told = { config: "port=53\n", servers: "" };
	await names.keep(member, both);
	expect(begun).toBe(1);
	expect(asks()).toHaveLength(3);
});

test("one that ends again and again is begun less and less often, and its last words are told", async () => {
	await names.keep(member, both);
	told = undefined;
	await expect(names.keep(member, both)).rejects.toThrow("dnsmasq ends, and says nothing");
	expect(begun).toBe(1);
});

test("by systemd-resolved nobody is asked for others' names", async () => {
	await names.keep({ ...member, dns: "systemd-resolved" }, both);
	expect(asks()).toEqual(["/ad.example.com/10.0.0.1", "/ad.example.com/10.0.0.2"]);
});
