import { shortNameOf } from "../../api/domain.ts";
import { type Answers, domainRoleOf, type Role } from "../../api/windows.ts";
import type { Installation } from "./answers/answer.ts";
import { type Element, element, xmlFile } from "./answers/xml.ts";
import { inOrder } from "./data-disks.ts";
import type { Passwords } from "./passwords.ts";

/** What Microsoft recommends for the databases of Exchange and SQL Server. */
const databaseAllocationUnit = 65_536;

/** Steps of scripts/first-boot.ps1, in their order. */
export type Step =
	| "machine"
	| "crash-keys"
	| "drivers"
	| "remote-desktop"
	| "member"
	| "disks"
	| "file-server"
	| "session-host"
	| "domain-controller"
	| "domain-ready"
	| "last-restart";

/** Drivers come first after what has no need of them, the domain before shares that name its groups. */
export function stepsOf({ answers, drivers }: Pick<Installation, "answers" | "drivers">): Step[] {
	const roles = new Set((answers.roles ?? []).map(({ role }) => role));
	const controller = roles.has("domain-controller") || roles.has("further-domain-controller");
	const when = (wanted: boolean, ...steps: Step[]) => (wanted ? steps : []);
	return [
		"machine",
		...when(answers.crashKeys === true, "crash-keys"),
		...when(drivers, "drivers"),
		...when(answers.remoteDesktop === true || roles.has("remote-desktop"), "remote-desktop"),
		...when(roles.has("member"), "member"),
		...when(controller, "domain-controller", "domain-ready"),
		...when(roles.has("exchange-disk") || roles.has("sql-server-disk"), "disks"),
		...when(roles.has("file-server"), "file-server"),
		...when(roles.has("remote-desktop"), "session-host"),
		"last-restart",
	];
}

/** settings.xml: all that the scripts of the first boot are told, and no password. */
export function settingsFile(installation: Installation): string {
	const { version, facts, answers } = installation;
	return xmlFile(
		element("settings", [
			element("version", version),
			element("architecture", facts.architecture),
			element("guestTools", facts.guestTools),
			element(
				"driverFolders",
				facts.drivers.map((folder) => element("folder", folder)),
			),
			element(
				"steps",
				stepsOf(installation).map((step) => element("step", step)),
			),
			element("roles", inOrder(answers.roles ?? []).map(roleElement)),
		]),
	);
}

function roleElement(role: Role): Element {
	return element(role.role, contentOf(role));
}

function contentOf(role: Role): (Element | undefined)[] {
	switch (role.role) {
		case "domain-controller":
			return [element("realm", role.realm), element("netbios", role.netbios ?? shortNameOf(role.realm))];
		case "further-domain-controller":
			return [
				element("realm", role.realm),
				element("account", role.account),
				...controllerElements(role.controllers),
			];
		case "member":
			return [
				element("realm", role.realm),
				element("account", role.account),
				role.ou === undefined ? undefined : element("ou", role.ou),
				...controllerElements(role.controllers),
			];
		case "file-server":
			return role.shares.map(shareElement);
		case "remote-desktop":
			return [];
		case "exchange-disk":
		case "sql-server-disk":
			return [
				element("letter", role.letter),
				element("label", role.label),
				element("allocationUnit", databaseAllocationUnit),
				role.disk === undefined ? undefined : element("disk", role.disk),
			];
		default:
			return role satisfies never;
	}
}

function controllerElements(controllers: readonly string[] = []): Element[] {
	return controllers.map((address) => element("controller", address));
}

type Share = Extract<Role, { role: "file-server" }>["shares"][number];

function shareElement({ name, folder, change, read = [] }: Share): Element {
	// Nobody in particular: whoever can log on, as in Microsoft's own dialog for new shares of a domain.
	const changers = change ?? (read.length === 0 ? ["Authenticated Users"] : []);
	return element("share", [
		element("name", name),
		// A backslash at the end would take the quote behind it for a letter; that of a drive's root is needed.
		element("folder", folder.length > 3 ? folder.replace(/\\$/, "") : folder),
		...changers.map((who) => element("change", who)),
		...read.map((who) => element("read", who)),
	]);
}

/**
 * secrets.xml: the passwords that the scripts need, hidden as in answer files; undefined when they need none. The scripts
 * remove it when they have finished.
 */
export function secretsFile(answers: Answers, { recovery, join }: Passwords): string | undefined {
	const used = domainRoleOf(answers) ? { recovery, join } : {};
	const secrets = Object.entries(used).flatMap(([name, password]) =>
		password === undefined
			? []
			: [element(name, Buffer.from(`${password}Password`, "utf16le").toString("base64"))],
	);
	return secrets.length > 0 ? xmlFile(element("secrets", secrets)) : undefined;
}
