import { component, type Installation, international, settings } from "./answer.ts";
import { diskLayout, installTo } from "./disk-layout.ts";
import { type Element, element, item } from "./xml.ts";

/** Drive letters that CD drives have during an installation: nobody knows which of them has the drivers. */
const cdLetters = ["D", "E", "F", "G", "H"];
/** What Setup and the first boot need; vioscsi and viostor, whichever the system disk is on. */
const neededDrivers = ["viostor", "vioscsi", "NetKVM", "vioserial", "Balloon", "pvpanic"];

/** The installation itself: language, disk, edition, drivers that Setup needs to see the disk. */
export function windowsPe(installation: Installation): Element {
	return settings("windowsPE", [
		component("Microsoft-Windows-International-Core-WinPE", installation, [
			element("SetupUILanguage", [element("UILanguage", installation.answers.language)]),
			...international(installation),
		]),
		installation.drivers
			? component("Microsoft-Windows-PnpCustomizationsWinPE", installation, [
					element("DriverPaths", driverPaths(installation)),
				])
			: undefined,
		setup(installation),
	]);
}

/** Setup loads what it finds below these folders, and takes it over into Windows; those that are not there do not matter. */
function driverPaths({ facts }: Installation): Element[] {
	return cdLetters
		.flatMap((letter) =>
			neededDrivers.flatMap((driver) =>
				facts.drivers.map((windows) => `${letter}:\\${driver}\\${windows}\\${facts.architecture}`),
			),
		)
		.map((path, index) => item("PathAndCredentials", [element("Path", path)], index + 1));
}

function setup(installation: Installation): Element {
	const { layout, windowsPartition } = diskLayout(installation.firmware);
	return component("Microsoft-Windows-Setup", installation, [
		layout,
		// An installation is the same tomorrow, and needs no network.
		element("DynamicUpdate", [element("Enable", false), element("WillShowUI", "OnError")]),
		element("ImageInstall", [
			element("OSImage", [
				element("InstallFrom", [image(installation)]),
				installTo(windowsPartition),
				element("WillShowUI", "OnError"),
			]),
		]),
		userData(installation),
	]);
}

function image({ answers: { edition } }: Installation): Element {
	return item("MetaData", [
		element("Key", typeof edition === "number" ? "/IMAGE/INDEX" : "/IMAGE/NAME"),
		element("Value", edition),
	]);
}

function userData({ answers: { productKey, computerName } }: Installation): Element {
	return element("UserData", [
		element("AcceptEula", true),
		element("FullName", "Administrator"),
		element("Organization", computerName),
		element("ProductKey", [
			productKey === undefined ? undefined : element("Key", productKey),
			element("WillShowUI", "OnError"),
		]),
	]);
}
