import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { BulkheadError, explain } from "../../api/errors.ts";
import {
	isOld,
	isWindowsVersion,
	type WindowsIso,
	type WindowsVersion,
	windowsVersions,
} from "../../api/windows.ts";
import type { Context } from "../context.ts";
import { styled } from "../terminal.ts";
import type { Asking } from "./asking.ts";

export interface MediumOptions {
	iso?: string;
	drivers?: string;
	guest?: string;
	edition?: string;
	language?: string;
}

export interface ChosenMedium {
	iso: string;
	drivers?: string;
	guest: WindowsVersion;
	edition: string | number;
	language: string;
}

/** Where Fedora's and Red Hat's packages put it. */
const packaged = "/usr/share/virtio-win/virtio-win.iso";

/** Windows has drivers of its own for the hardware that it gets when nobody says otherwise. */
const none = "none";

/** What is installed, and from what: the daemon looks what is on the ISO. */
export async function chooseMedium(
	context: Context,
	asking: Asking,
	options: MediumOptions,
): Promise<ChosenMedium> {
	const iso = resolve(await asking.answer({ words: "Windows ISO", option: "--iso", given: options.iso }));
	const found = await lookAt(context, iso, options);
	const guest = guestOf(options.guest, found, iso);
	const edition = await editionOf(asking, options.edition, found, guest);
	const chosen = found?.editions.find(({ name, index }) => name === edition || index === edition);
	const language = languageOf(options.language, chosen?.languages ?? []);
	const drivers = await driversOf(asking, options.drivers, guest, iso);
	return { iso, guest, edition, language, ...(drivers === undefined ? {} : { drivers }) };
}

/** @returns undefined for an ISO that cannot be looked at, when all that would be seen there was said */
async function lookAt(
	context: Context,
	iso: string,
	{ guest, edition, language }: MediumOptions,
): Promise<WindowsIso | undefined> {
	const look = context.client.call("windowsIso", {}, { path: iso }, { signal: context.signal });
	if (guest === undefined || edition === undefined || language === undefined) return await look;
	return await look.catch((cause: unknown) => {
		context.signal.throwIfAborted();
		const why = `nobody could look whether that is on ${iso}: ${explain(cause)}`;
		context.terminal.note([styled("note: ", "yellow"), why]);
		return undefined;
	});
}

function languageOf(given: string | undefined, there: readonly string[]): string {
	if (given !== undefined && there.length > 0 && !there.includes(given))
		throw new BulkheadError(
			"bad-input",
			`--language: the edition is there in ${there.join(", ")}, not in ${given}`,
		);
	return given ?? there[0] ?? "en-US";
}

function guestOf(given: string | undefined, found: WindowsIso | undefined, iso: string): WindowsVersion {
	const guest = given ?? found?.version ?? undefined;
	if (guest === undefined)
		throw new BulkheadError(
			"bad-input",
			`it is not known which Windows ${iso} installs; say it with --guest`,
		);
	if (!isWindowsVersion(guest))
		throw new BulkheadError("bad-input", `--guest: ${guest} is none of ${windowsVersions.join(", ")}`);
	if (found?.version && found.version !== guest)
		throw new BulkheadError("bad-input", `--guest: ${iso} installs ${found.version}, not ${guest}`);
	return guest;
}

async function editionOf(
	asking: Asking,
	given: string | undefined,
	found: WindowsIso | undefined,
	guest: WindowsVersion,
): Promise<string | number> {
	const names = found?.editions.map(({ name }) => name) ?? [];
	const indexes = found?.editions.map(({ index }) => String(index)) ?? [];
	// Media of before 2008 have one edition.
	if (isOld(guest)) return given ?? 1;
	const [only] = names.length === 1 ? names : [];
	const answer = await asking.answer({
		...{ words: "Edition", option: "--edition", given, choices: names },
		...(only === undefined ? {} : { fallback: only }),
		wrong: (text) =>
			names.length === 0 || names.includes(text) || indexes.includes(text)
				? undefined
				: `there is no edition ${text} on the ISO; there are: ${names.map((name, index) => `${indexes[index]} ${name}`).join("; ")}`,
	});
	return names.includes(answer) || !/^\d+$/.test(answer) ? answer : Number(answer);
}

async function driversOf(
	asking: Asking,
	given: string | undefined,
	guest: WindowsVersion,
	iso: string,
): Promise<string | undefined> {
	if (isOld(guest)) return given === undefined ? undefined : resolve(given);
	const there = [join(dirname(iso), "virtio-win.iso"), packaged].find((file) => existsSync(file));
	const answer = await asking.answer({
		...{ words: "virtio-win ISO with drivers and guest agent", option: "--drivers", given },
		fallback: there ?? none,
	});
	return answer === none ? undefined : resolve(answer);
}
