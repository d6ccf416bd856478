import { domainRoleOf } from "../../../api/windows.ts";
import { windowsTimeZone } from "../../../api/windows-time-zones.ts";
import { component, type Installation, settings } from "./answer.ts";
import { type Element, element, item } from "./xml.ts";

/** What makes this computer itself: its name, its time zone, its domain. */
export function specialize(installation: Installation): Element {
	const { computerName, timeZone, productKey } = installation.answers;
	return settings("specialize", [
		component("Microsoft-Windows-Shell-Setup", installation, [
			element("ComputerName", computerName),
			// Windows 10 and 11 look for it here too, and ask when it is not.
			productKey !== undefined && installation.facts.kind === "client"
				? element("ProductKey", productKey)
				: undefined,
			element("TimeZone", windowsTimeZone(timeZone) ?? timeZone),
		]),
		nameServers(installation),
		membership(installation),
	]);
}

/** Whom it asks for the names of the domain that it joins in this pass. Its network card has no other name yet. */
function nameServers(installation: Installation): Element | undefined {
	const role = domainRoleOf(installation.answers);
	const { mac } = installation;
	if (role?.role !== "member" || role.controllers === undefined || mac === undefined) return undefined;
	const addresses = role.controllers.map((address, index) =>
		element("IpAddress", address, { "wcm:action": "add", "wcm:keyValue": String(index + 1) }),
	);
	return component("Microsoft-Windows-DNS-Client", installation, [
		element("Interfaces", [
			item("Interface", [
				element("DNSServerSearchOrder", addresses),
				element("Identifier", mac.replaceAll(":", "-").toUpperCase()),
			]),
		]),
	]);
}

/**
 * Joins a domain. Windows takes this password as it stands only: the reference knows no hidden form of it.
 * When the domain does not answer yet, Setup goes on without it, and the scripts try again.
 */
function membership(installation: Installation): Element | undefined {
	const role = domainRoleOf(installation.answers);
	const password = installation.passwords.join;
	if (role?.role !== "member" || password === undefined) return undefined;
	return component("Microsoft-Windows-UnattendedJoin", installation, [
		element("Identification", [
			element("Credentials", [
				element("Domain", role.realm),
				element("Password", password),
				element("Username", role.account),
			]),
			element("JoinDomain", role.realm),
			role.ou === undefined ? undefined : element("MachineObjectOU", role.ou),
		]),
	]);
}
