import { expect, test } from "vitest";
import { joinBody } from "./domain.ts";

const messages = (changes: object) =>
	joinBody
		.safeParse({
			...{ realm: "ad.example.com", controllers: ["10.77.0.10"], user: "administrator", password: "p" },
			...{ name: "host1", logins: true },
			...changes,
		})
		.error?.issues.map(({ path, message }) => `${path.join(".")}: ${message}`) ?? [];

test.each(["linux users", "Bücher (alle)", "it's & more!"])(
	"users of the group %s may log in",
	(allowGroup) => {
		expect(messages({ allowGroup })).toEqual([]);
	},
);

test.each([
	["dev#admins", /^allowGroup: PAM's files take # for the beginning of a comment/],
	["linux users ", /^allowGroup: it ends with a space/],
	["dev]", /^allowGroup: a name has 1 to 64 characters/],
	["dev:root", /^allowGroup: a name has 1 to 64 characters/],
	["dev\nauth", /^allowGroup: a name has 1 to 64 characters/],
])("%j is no group that PAM's files can name", (allowGroup, words) => {
	expect(messages({ allowGroup })[0]).toMatch(words);
});

test("a group is of use with logins only", () => {
	expect(messages({ logins: false, allowGroup: "linux users" })).toEqual([
		"allowGroup: it is of use with logins only",
	]);
});
