import { expect, test } from "vitest";
import { preseed } from "./answers.ts";

const wanted = {
	hostname: "web",
	mirror: { url: "http://mirror.example:8080/debian", release: "trixie" },
	proxy: "http://192.0.2.10:3142/",
	sshKey: "ssh-ed25519 AAAA+/= installation",
	passwordHash: "$6$salt$hash",
	packages: ["nginx-light", "openssh-server"],
	page: "<h1>Hello</h1>",
};

test("every answer is a line of its own: owner, question, type, value", () => {
	const lines = preseed(wanted).trimEnd().split("\n");
	for (const line of lines)
		expect(line).toMatch(/^d-i [\w/-]+ (string|boolean|select|multiselect|password|note)( .*)?$/);
	expect(new Set(lines.map((line) => line.split(" ")[1])).size).toBe(lines.length);
	expect(lines).toContain("d-i mirror/http/hostname string mirror.example:8080");
	expect(lines).toContain("d-i mirror/http/directory string /debian");
	expect(lines).toContain("d-i pkgsel/include string nginx-light openssh-server");
});

test.each([
	["a page with a quote", { page: "it's" }],
	["a page of two lines", { page: "a\nb" }],
	["a key with a command", { sshKey: "x; reboot" }],
	["a host name of two lines", { hostname: "web\nd-i partman/confirm boolean false" }],
])("%s is refused", (_, more) => {
	expect(() => preseed({ ...wanted, ...more })).toThrow(RangeError);
});
