import type { Answers, WindowsVersion } from "../../../api/windows.ts";
import type { DataDisk } from "../data-disks.ts";
import type { Passwords } from "../passwords.ts";
import type { Firmware, WindowsFacts } from "../versions.ts";
import { type Element, element } from "./xml.ts";

/** What an answer file is made from. */
export interface Installation {
	version: WindowsVersion;
	facts: WindowsFacts;
	firmware: Firmware;
	answers: Answers;
	passwords: Passwords;
	/** Whether the virtio-win ISO is there. */
	drivers: boolean;
	/** As the server has them, without its system disk. */
	data: readonly DataDisk[];
	/** Hardware address of its network card, as 52:54:00:12:34:56. */
	mac?: string;
}

export type Pass = "windowsPE" | "offlineServicing" | "specialize" | "oobeSystem";

/** One component's settings in a pass, with the words that its identity consists of in every Windows. */
export function component(
	name: string,
	{ facts }: Installation,
	settings: readonly (Element | undefined)[],
): Element {
	return element("component", settings, {
		name,
		processorArchitecture: facts.architecture,
		publicKeyToken: "31bf3856ad364e35",
		language: "neutral",
		versionScope: "nonSxS",
	});
}

export function settings(pass: Pass, components: readonly (Element | undefined)[]): Element {
	return element("settings", components, { pass });
}

/**
 * A password as Windows System Image Manager hides it: with the name of its setting behind it, UTF-16, base64. That hides it
 * from a glance, not from anybody who wants to know: the medium has to be kept like the password.
 * Source: Microsoft, "Hide Sensitive Data in an Answer File", and the examples of its reference.
 * @param setting `AdministratorPassword` for the Administrator's, `Password` for all others
 */
export function hidden(
	name: string,
	password: string,
	setting: "AdministratorPassword" | "Password",
): Element {
	const value = Buffer.from(password + setting, "utf16le").toString("base64");
	return element(name, [element("Value", value), element("PlainText", false)]);
}

/** Languages and keyboard; the same settings before and after the installation. */
export function international({ answers: { language, keyboard = language } }: Installation): Element[] {
	return [
		element("InputLocale", keyboard),
		element("SystemLocale", language),
		element("UILanguage", language),
		element("UserLocale", language),
	];
}
