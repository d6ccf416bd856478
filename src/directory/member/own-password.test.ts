import { expect, test } from "vitest";
import { OwnPassword } from "./own-password.ts";

const [hour, day] = [3_600_000, 24 * 3_600_000];

function passwordOf(changedAt: number | null) {
	const at = { now: 0, changedAt, keytabAt: changedAt, looks: 0, changes: 0, keytabs: 0, fails: false };
	const parts = {
		changedAt: async () => {
			at.looks++;
			return at.changedAt;
		},
		change: async () => {
			if (at.fails) throw new Error("the domain refuses it");
			at.changes++;
			at.changedAt = at.now;
		},
		keytabAt: async () => at.keytabAt,
		writeKeytab: async () => {
			if (at.fails) throw new Error("no controller answers");
			at.keytabs++;
			at.keytabAt = at.now;
		},
	};
	const password = new OwnPassword(
		parts,
		() => at.now,
		() => at.now,
	);
	return { at, password };
}

test("a password is changed when it is a month old, and looked at each hour", async () => {
	const { at, password } = passwordOf(0);
	for (; at.now < 100 * day; at.now += hour / 2) await password.keep();
	expect(at).toMatchObject({ changes: 3, keytabs: 3 });
	expect(at.looks).toBe(100 * 24);
});

test("what cannot be changed is tried again, and of what is not known nothing is changed", async () => {
	const { at, password } = passwordOf(0);
	at.fails = true;
	at.now = 31 * day;
	await expect(password.keep()).rejects.toThrow("the domain refuses it");
	await password.keep();
	at.now += hour;
	at.fails = false;
	await password.keep();
	expect(at.changes).toBe(1);
	const unknown = passwordOf(null);
	unknown.at.now = 31 * day;
	await unknown.password.keep();
	expect(unknown.at.changes).toBe(0);
});

test("that of another membership is looked at at once", async () => {
	const { at, password } = passwordOf(0);
	await password.keep();
	password.forget();
	await password.keep();
	expect(at.looks).toBe(2);
});

test("a keytab that is older than the password, or is not there, is written anew", async () => {
	const { at, password } = passwordOf(day);
	at.now = 2 * day;
	for (const keytabAt of [0, null]) {
		at.keytabAt = keytabAt;
		at.fails = true;
		await expect(password.keep()).rejects.toThrow("no controller answers");
		at.now += hour;
		at.fails = false;
		await password.keep();
		expect(at.keytabAt).toBe(at.now);
		at.now += hour;
	}
	await password.keep();
	expect(at).toMatchObject({ changes: 0, keytabs: 2 });
});
