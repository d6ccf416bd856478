import type { Problem } from "./problem.ts";
import type { ServerDefinition } from "./site.ts";
import { answersProblems, isWindowsVersion } from "./windows.ts";

/** What is wrong with where a server's system disk comes from and with its hardware, as far as the site file tells. */
export function hardwareProblems(server: ServerDefinition, at: (string | number)[]): Problem[] {
	return [
		...sourceProblems(server, at),
		...templateProblems(server, at),
		...installProblems(server, at),
		...clockProblems(server, at),
		...crashProblems(server, at),
	];
}

function sourceProblems({ template, image, install }: ServerDefinition, at: Problem["path"]): Problem[] {
	const given = Object.entries({ template, image, install })
		.filter(([, value]) => value !== undefined)
		.map(([key]) => key);
	if (given.length === 1) return [];
	const mend = "say one of `template:`, `image:` and `install:`";
	const found = given.length === 0 ? "has neither template, image nor install" : `has ${given.join(" and ")}`;
	return [{ path: [...at], message: `${found}; ${mend}` }];
}

/** What a template's guests run on is part of it. */
function templateProblems(server: ServerDefinition, at: Problem["path"]): Problem[] {
	if (server.template === undefined) return [];
	const { agent, guest, machine, firmware, tpm, timeZone, system, network, data = [] } = server;
	const given: [Problem["path"], unknown][] = [
		[["guest"], guest],
		[["agent"], agent],
		[["machine"], machine],
		[["firmware"], firmware],
		[["tpm"], tpm],
		[["timeZone"], timeZone],
		[["system", "bus"], system?.bus],
		[["network", "card"], network?.card],
		...data.map(({ bus }, i): [Problem["path"], unknown] => [["data", i, "bus"], bus]),
	];
	return given
		.filter(([, value]) => value !== undefined)
		.map(([path]) => ({
			path: [...at, ...path],
			message: "is decided by the template; leave it out, or use `image:` or `install:`",
		}));
}

function installProblems(server: ServerDefinition, at: Problem["path"]): Problem[] {
	const { install, system } = server;
	if (!install) return [];
	const problems: Problem[] = answerProblems(server).map(({ path, message }) => ({
		path: [...at, "install", "answers", ...path],
		message,
	}));
	if (system?.size === undefined)
		problems.push({
			path: [...at, "system", "size"],
			message: "is missing: nobody else says how large the disk is to be; add `system: { size: 40GiB }`",
		});
	if (system?.disk === "disposable")
		problems.push({
			path: [...at, "system", "disk"],
			message: "what is installed would be lost with the first session; leave it out",
		});
	return problems;
}

function answerProblems({ install, guest, data = [] }: ServerDefinition): Problem[] {
	const answers = install?.answers;
	if (!answers) return [];
	if (guest === undefined || !isWindowsVersion(guest))
		return [
			{
				path: [],
				message: "are for Windows; say `guest: windows-server-2022`, or whichever it is, or leave them out",
			},
		];
	const names = data.map(({ name }) => name);
	const missing = (answers.roles ?? []).flatMap((role, index) =>
		"disk" in role && role.disk !== undefined && !names.includes(role.disk)
			? [
					{
						path: ["roles", index, "disk"],
						message: `there is no data disk ${role.disk}; add it under \`data:\``,
					},
				]
			: [],
	);
	return [...answersProblems(guest, answers), ...missing];
}

/** All others take their clock to show UTC. */
function clockProblems({ timeZone, template, guest }: ServerDefinition, at: Problem["path"]): Problem[] {
	if (timeZone === undefined || template !== undefined || guest?.startsWith("windows-")) return [];
	const message =
		"is for Windows, whose clock shows local time; say `guest: windows-server-2022`, or whichever it is, or leave it out";
	return [{ path: [...at, "timeZone"], message }];
}

function crashProblems({ recovery }: ServerDefinition, at: Problem["path"]): Problem[] {
	if (recovery?.mode !== "warm" || recovery.onCrash === undefined) return [];
	const message =
		"means something only with `recovery: { mode: cold }`: a warm one keeps what has failed, see `evidence`; leave it out";
	return [{ path: [...at, "recovery", "onCrash"], message }];
}
