import { expect, test } from "vitest";
import { editsFor, refuseOtherStack, refuseTakenNumbers, withWinbind } from "./edits.ts";

const editOf = (path: string, name = "AD\\linux users") => {
	const edit = editsFor({ name, sid: "S-1-5-21-1" }).find((one) => one.path === path);
	if (!edit) throw new Error(`no edit of ${path}`);
	return edit;
};
const session = "/etc/pam.d/common-session";
const winbindConf = "/etc/security/pam_winbind.conf";

test.each([
	[
		"passwd: files systemd\ngroup: files systemd\n",
		"passwd: files systemd winbind\ngroup: files systemd winbind\n",
	],
	[
		"passwd:files\ngroup:\tfiles [UNAVAIL=return] sss\n",
		"passwd:files winbind\ngroup:\tfiles [UNAVAIL=return] winbind sss\n",
	],
	[
		"passwd: files winbind\ngroup: files winbind\nhosts: files dns\n",
		"passwd: files winbind\ngroup: files winbind\nhosts: files dns\n",
	],
])("winbind is asked after the host's own users", (before, after) => {
	expect(withWinbind(before)).toBe(after);
	expect(editOf("/etc/nsswitch.conf").retract(`# somebody's\n${after}`, before)).toBe(
		`# somebody's\n${before}`,
	);
});

test("a host whose own users do not come first is left as it is", () => {
	expect(() => withWinbind("passwd: sss files\ngroup: files\n")).toThrow(
		/files has to come first for passwd/,
	);
	expect(() => withWinbind("passwd: files\n")).toThrow(/no line for group/);
	expect(() => refuseOtherStack("auth sufficient pam_winbind.so\nauth required pam_unix.so\n")).toThrow(
		/pam_unix.so has to come before/,
	);
	expect(() => refuseOtherStack("auth required pam_unix.so\n")).toThrow(/pam-auth-update --enable winbind/);
	expect(() => refuseOtherStack(undefined)).toThrow(/common-auth is missing/);
	expect(() => refuseTakenNumbers("/etc/passwd", "root:x:0:0::/:\nburt:x:2000001:1::/:\n")).toThrow(
		/^\/etc\/passwd: burt has the number 2000001/,
	);
	expect(() => refuseTakenNumbers("/etc/passwd", "root:x:0:0::/:\nmallory:x:1500:3001105::/:\n")).toThrow(
		/^\/etc\/passwd: mallory has the group number 3001105/,
	);
	expect(() => refuseTakenNumbers("/etc/group", "wheel:x:3999999:burt\n")).toThrow(
		/wheel has the number 3999999/,
	);
	expect(() => refuseTakenNumbers("/etc/group", "nogroup:x:65534:\nlate:x:4000000:\n")).not.toThrow();
});

test("lines that follow what PAM's own tool manages, and only they are taken out", () => {
	const { apply, retract } = editOf(session);
	const after = apply("session required pam_unix.so");
	expect(after.split("\n")).toEqual([
		"session required pam_unix.so",
		"# bulkhead: begin (bulkhead domain join --logins; bulkhead domain leave takes this out)",
		"session [success=4 default=ignore] pam_succeed_if.so quiet uid lt 2000000",
		"session [success=3 default=ignore] pam_succeed_if.so quiet uid gt 3999999",
		"session optional pam_env.so readenv=0 conffile=/etc/security/bulkhead-env.conf",
		"session [success=1 default=ignore] pam_succeed_if.so quiet home =~ /home/*/*/*",
		"session optional pam_mkhomedir.so umask=0077",
		"# bulkhead: end",
		"",
	]);
	expect(retract(`${after}# another's\n`, null)).toBe("session required pam_unix.so\n# another's\n");
	expect(() => apply(null)).toThrow(/common-session is missing/);
});

test("a group's name is written as its bytes", () => {
	const after = editOf("/etc/pam.d/common-account", "AD\\Bücher").apply("");
	expect(Buffer.from(after, "latin1").toString()).toContain("user ingroup [AD\\Bücher]\n");
});

test("without a group the domain's own users may, and not those of domains that it trusts", () => {
	const edit = editsFor(null).find(({ path }) => path === "/etc/pam.d/common-account");
	const before = "account required pam_permit.so\n";
	const after = edit?.apply(before) ?? "";
	expect(after.split("\n").slice(2, -2)).toEqual([
		"account [success=2 default=ignore] pam_succeed_if.so quiet uid lt 2000000",
		"account [success=1 default=ignore] pam_succeed_if.so quiet uid gt 3999999",
		"account requisite pam_succeed_if.so quiet uid ge 3000000",
	]);
	expect(edit?.retract(after, before)).toBe(before);
});

test("pam_winbind.conf becomes what it was, and stays another's who has written it anew", () => {
	const { apply, retract } = editOf(winbindConf);
	const before = "[global]\ndebug = no\n";
	expect(retract(`${apply(before)}debug = yes\n`, before)).toBe(`${before}debug = yes\n`);
	expect(retract("[global]\nwarn_pwd_expire = 14\n", before)).toBe("[global]\nwarn_pwd_expire = 14\n");
});

test("what an earlier membership left is to be taken out first", () => {
	for (const path of [session, winbindConf, "/etc/pam.d/common-account"]) {
		const { apply } = editOf(path);
		expect(() => apply(apply("# theirs\n"))).toThrow(`${path} has lines of an earlier membership`);
	}
});
