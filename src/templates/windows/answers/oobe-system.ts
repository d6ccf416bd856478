import { component, hidden, type Installation, international, settings } from "./answer.ts";
import { administratorName } from "./locales.ts";
import { type Element, element, item } from "./xml.ts";

/** The first logon begins what is on the answers' medium, whichever drive that is; one `%` outside of a batch file. */
export const firstCommand =
	"cmd.exe /d /c for %d in (D E F G H I J K) do @if exist %d:\\bulkhead\\start.cmd call %d:\\bulkhead\\start.cmd";

/** The end: the Administrator's password, no questions, one logon that begins the scripts. */
export function oobeSystem(installation: Installation): Element {
	const { answers, facts, passwords } = installation;
	return settings("oobeSystem", [
		component("Microsoft-Windows-International-Core", installation, international(installation)),
		component("Microsoft-Windows-Shell-Setup", installation, [
			element("AutoLogon", [
				// Otherwise a member of a domain would look for the account there.
				element("Domain", answers.computerName),
				element("Enabled", true),
				element("LogonCount", 1),
				hidden("Password", passwords.administrator, "Password"),
				element("Username", administratorName(facts.kind, answers.language)),
			]),
			element("FirstLogonCommands", [
				item("SynchronousCommand", [
					element("CommandLine", firstCommand),
					element("Description", "Bulkhead"),
					element("Order", 1),
				]),
			]),
			element("OOBE", pages(installation)),
			element("UserAccounts", [
				hidden("AdministratorPassword", passwords.administrator, "AdministratorPassword"),
			]),
		]),
	]);
}

/**
 * Pages that are not shown. What Windows does not know yet it would call an error of the whole file.
 *
 * Nothing here leaves out the page for a first account in Windows 10 and 11: that is not shown where somebody logs on by
 * himself (Microsoft, "Microsoft-Windows-Shell-Setup | AutoLogon"). Windows 7 would show it.
 */
function pages({ version }: Installation): Element[] {
	const seven = version === "windows-7" || version === "windows-server-2008-r2";
	return [
		element("HideEULAPage", true),
		...(seven
			? []
			: ["HideLocalAccountScreen", "HideOEMRegistrationScreen", "HideOnlineAccountScreens"].map((name) =>
					element(name, true),
				)),
		element("HideWirelessSetupInOOBE", true),
		...(seven ? [element("NetworkLocation", "Work")] : []),
		// 3: neither updates nor the sending of anything is turned on without being asked for.
		element("ProtectYourPC", 3),
		...(version === "windows-7" ? [element("SkipMachineOOBE", true), element("SkipUserOOBE", true)] : []),
	];
}
