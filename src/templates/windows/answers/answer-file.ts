import { BulkheadError } from "../../../api/errors.ts";
import type { Installation } from "./answer.ts";
import { oobeSystem } from "./oobe-system.ts";
import { specialize } from "./specialize.ts";
import { answerFileProblems } from "./validate.ts";
import { windowsPe } from "./windows-pe.ts";
import { winntSif } from "./winnt-sif.ts";
import { type Element, element, xmlFile } from "./xml.ts";

/**
 * The answer file of an unattended installation: autounattend.xml, or winnt.sif for Windows of before 2008. There is no pass
 * offlineServicing: drivers that Setup loads in windowsPE it takes over into Windows by itself.
 * @param installation with answers checked by `answersSchema` and `answersProblems`
 * @returns the text, with Windows's line ends; what it holds of passwords is only hidden from a glance
 * @throws BulkheadError bad-input when this Windows does not run on such firmware, or does not know the language
 */
export function answerFile(installation: Installation): string {
	const { version, firmware, facts } = installation;
	if (!facts.firmware.includes(firmware))
		throw new BulkheadError(
			"bad-input",
			`${version} can be installed with ${facts.firmware.join(" or ")} firmware only, not with ${firmware}`,
		);
	return facts.answerFile === "winnt.sif" ? winntSif(installation) : xmlFile(unattend(installation));
}

/** @throws Error when it is not as Microsoft's reference wants it: then this program is wrong, not its user */
export function unattend(installation: Installation): Element {
	const root = element(
		"unattend",
		[windowsPe(installation), specialize(installation), oobeSystem(installation)],
		{
			xmlns: "urn:schemas-microsoft-com:unattend",
			"xmlns:wcm": "http://schemas.microsoft.com/WMIConfig/2002/State",
		},
	);
	const problems = answerFileProblems(root, installation);
	if (problems.length > 0) throw new Error(`the answer file is not as documented: ${problems.join("; ")}`);
	return root;
}
