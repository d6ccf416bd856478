import { expect, test } from "vitest";
import { type Drill, domainOf, verdictsOf } from "./judge.ts";

const drill = (change: Partial<Drill> = {}): Drill => ({
	...{ ldapMs: 4000, kerberosMs: 4100, smbMs: 4500, refused: 0, backOnlineMs: 900 },
	...{ cachedLogonOk: true, cachedLogonMs: 60, wrongRefused: true },
	...{ sshMs: 700, sshDuringOk: true, cachedSshMs: 1200 },
	...{ userKept: true, trustOk: true, deskOk: true, ...change },
});
const checked = "Checked 300 objects (0 errors)";
const brokenOf = (made: readonly Drill[]) =>
	verdictsOf(made, checked).flatMap(({ promise, broken }) => (broken === null ? [] : [{ promise, broken }]));

test("all is kept", () => {
	expect(brokenOf([drill(), drill()])).toEqual([]);
});

test.each<[string, Partial<Drill>, RegExp]>([
	[
		"a logon that was refused during an outage",
		{ cachedLogonOk: false, cachedLogonMs: null },
		/logs in to the host$/,
	],
	["a slow one", { cachedLogonMs: 201 }, /200 ms/],
	["SSH that was refused during an outage", { sshDuringOk: false, cachedSshMs: null }, /by SSH/],
	["a wrong password that lets in", { wrongRefused: false }, /wrong password/],
	["a refusal", { refused: 1 }, /refused/],
	["a host that comes back late", { backOnlineMs: 3001 }, /online/],
])("%s breaks its promise in the drill that it was in", (_, change, promise) => {
	const broken = brokenOf([drill(), drill(change)]);
	expect(broken).toEqual([{ promise: expect.stringMatching(promise), broken: expect.any(String) }]);
});

test("what no drill could show is not judged, and has no figure", () => {
	const made = [drill({ cachedLogonMs: null, cachedSshMs: null })];
	expect(brokenOf(made).map(({ broken }) => broken)).toEqual([undefined, undefined]);
	expect(domainOf(made)).toMatchObject({ cachedLogonOk: true, cachedLogonMs: null, cachedSshMs: null });
});

test("without a drill nothing is kept", () => {
	expect(new Set(verdictsOf([], null).map(({ broken }) => broken))).toEqual(new Set([undefined]));
	expect(domainOf([])).toMatchObject({
		trustOk: false,
		userKept: false,
		lanClientOk: false,
		backOnlineMs: null,
	});
});
