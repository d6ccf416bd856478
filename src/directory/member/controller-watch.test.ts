import { beforeEach, expect, test } from "vitest";
import type { ControllerService } from "../../api/domain.ts";
import { ControllerWatch } from "./controller-watch.ts";
import { services } from "./controllers.ts";

let now = 0;
/** What is answered, and what was asked since the last look. */
let answers = new Set<ControllerService>();
let asked: ControllerService[] = [];
let away = false;
let watch: ControllerWatch;

beforeEach(() => {
	now = 0;
	answers = new Set(services);
	asked = [];
	away = false;
	watch = new ControllerWatch(
		async (_, service) => {
			asked.push(service);
			return answers.has(service);
		},
		(address) => ({ isOwn: address.startsWith("10.0."), isAway: away }),
		() => now,
	);
});

async function look(atMs: number, address = "10.0.0.1") {
	now = atMs;
	asked = [];
	const [found] = await watch.look([address]);
	return { answers: found?.answers ?? [], asked: [...asked].sort() };
}

const all = [...services].sort();
const cheap = ["dns", "kerberos"];

test("what costs a controller a good deal is asked at first, and every ten seconds", async () => {
	expect(await look(0)).toEqual({ answers: services, asked: all });
	expect(await look(1000)).toEqual({ answers: services, asked: cheap });
	expect(await look(9999)).toEqual({ answers: services, asked: cheap });
	expect(await look(10_000)).toEqual({ answers: services, asked: all });
});

test("what was not answered is asked at each look, and that alone", async () => {
	answers.delete("smb");
	await look(0);
	expect(await look(250)).toEqual({
		answers: ["dns", "kerberos", "ldap"],
		asked: ["dns", "kerberos", "smb"],
	});
	answers.add("smb");
	expect(await look(500)).toEqual({ answers: services, asked: ["dns", "kerberos", "smb"] });
	expect(await look(750)).toEqual({ answers: services, asked: cheap });
});

test("one that is known to be away is not asked, and then all of it", async () => {
	await look(0);
	away = true;
	expect(await look(1000)).toEqual({ answers: [], asked: [] });
	away = false;
	expect(await look(1250)).toEqual({ answers: services, asked: all });
});

test("nothing is believed of one that is gone, until it says so again", async () => {
	await look(0);
	answers.clear();
	expect(await look(1000)).toEqual({ answers: [], asked: cheap });
	answers = new Set(["dns", "kerberos"]);
	expect(await look(1250)).toEqual({ answers: ["dns", "kerberos"], asked: all });
});

test("one answer that is lost on its way changes nothing but itself", async () => {
	await look(0);
	answers.delete("kerberos");
	expect(await look(1000)).toEqual({ answers: ["dns", "ldap", "smb"], asked: cheap });
});

test("of one that something has happened to all is asked, also when it is back already", async () => {
	await look(0);
	answers.delete("smb");
	expect((await look(1000)).answers).toEqual(services);
	watch.forget(["10.0.0.2"]);
	expect((await look(1100)).asked).toEqual(cheap);
	watch.forget(["10.0.0.1"]);
	expect(await look(1200)).toEqual({ answers: ["dns", "kerberos", "ldap"], asked: all });
});

test("nor does an answer count that was on its way when it happened", async () => {
	const answered = Promise.withResolvers<boolean>();
	let asks = 0;
	const slow = new ControllerWatch(
		async () => (++asks > services.length ? true : await answered.promise),
		() => ({ isOwn: true, isAway: false }),
		() => now,
	);
	const first = slow.look(["10.0.0.1"]);
	slow.forget(["10.0.0.1"]);
	answered.resolve(true);
	await first;
	await slow.look(["10.0.0.1"]);
	expect(asks).toBe(2 * services.length);
});

test("one that is no server of this host's may have been away without a word: all is asked each time", async () => {
	for (const at of [0, 1000]) expect((await look(at, "192.168.7.5")).asked).toEqual(all);
});

test("controllers have nothing to do with each other", async () => {
	const silent = new ControllerWatch(
		async (address) => address === "10.0.0.1",
		() => ({ isOwn: true, isAway: false }),
	);
	for (let times = 0; times < 2; times++)
		expect(await silent.look(["10.0.0.1", "10.0.0.2"])).toEqual([
			{ address: "10.0.0.1", answers: services },
			{ address: "10.0.0.2", answers: [] },
		]);
});
