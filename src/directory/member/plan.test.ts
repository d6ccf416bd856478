import { describe, expect, test } from "vitest";
import { etcOf, groupNumber, type Member } from "./plan.ts";

const member: Member = {
	realm: "AD.EXAMPLE.COM",
	workgroup: "AD",
	name: "HOST1",
	controllers: ["10.77.0.10", "fd00:77::10"],
	joinedAt: 0,
	logins: false,
	allowed: null,
	admins: null,
	dns: null,
};

describe("a member's files", () => {
	test("name the domain and its controllers, and nothing of the host", () => {
		const etc = etcOf(member);
		expect(etc["smb.conf"]).toContain("realm = AD.EXAMPLE.COM\nworkgroup = AD\nnetbios name = HOST1\n");
		expect(etc["smb.conf"]).toContain("password server = 10.77.0.10 fd00:77::10\n");
		expect(etc["krb5.conf"]).toContain(
			"kdc = 10.77.0.10\nkpasswd_server = 10.77.0.10\nkdc = [fd00:77::10]\n",
		);
		expect(etc["resolv.conf"]).toMatch(/^nameserver 10.77.0.10\nnameserver fd00:77::10\n/);
		const paths = Object.values(etc).flatMap((text) => text.match(/\/[a-z]+\/\S+/g) ?? []);
		expect(paths.filter((path) => !path.startsWith("/domain/"))).toEqual(["/bin/bash", "/home/%D/%U"]);
	});

	test.each<Partial<Member>>([
		{ workgroup: "AD\nlog level = 10" },
		{ workgroup: "AD %m" },
		{ name: "HOST1 = x" },
		{ controllers: ["10.77.0.10 10.0.0.1"] },
		{ realm: "AD}" },
	])("cannot be made of %j", (wrong) => {
		expect(() => etcOf({ ...member, ...wrong })).toThrow(RangeError);
	});
});

test.each([
	["S-1-5-21-1-2-3-1105", 3_001_105],
	["S-1-5-21-1-2-3-999999", 3_999_999],
	["S-1-5-21-1-2-3-1000000", undefined],
	["S-1-5-32-544", undefined],
	["S-1-5-21-1-2-3-", undefined],
])("the kernel calls %s %s", (sid, number) => {
	expect(groupNumber(sid)).toBe(number);
});
