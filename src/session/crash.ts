import type { BlueScreen } from "../api/screen.ts";
import { formatStopCode, stopCodeOf } from "../api/stop-codes.ts";

/** What is known of why a Windows crashed: from Hyper-V's crash event, or read off its screen. All text is the guest's. */
export type Stop = NonNullable<BlueScreen["stop"]>;

const nameLength = 64;
const parametersAtMost = 4;

/** @returns one sentence for people; for a Linux, or when nothing is known, that the kernel panicked */
export function crashWords(stop: Stop | undefined): string {
	if (!stop) return "The guest's kernel panicked";
	const known = stopCodeOf(stop.code);
	const code = formatStopCode(stop.code);
	const name = known?.name ?? stop.name?.slice(0, nameLength);
	const module = stop.module ? `; its screen names ${stop.module.slice(0, nameLength)}` : "";
	const says = known?.says ? `: ${known.says.replace(/\.$/, "")}` : "";
	return `Windows stopped with ${name ? `${name} (${code})` : code}${says}${module}`;
}

/** @returns one sentence for people about a crash that nothing told of but the screen */
export function blueScreenWords({ stop }: BlueScreen): string {
	return stop ? crashWords(stop) : "Windows stopped with a blue screen; its stop code could not be read";
}

/** @returns what an incident keeps of it */
export function crashDetails(stop: Stop): Record<string, string> {
	const known = stopCodeOf(stop.code);
	const name = known?.name ?? stop.name?.slice(0, nameLength);
	const parameters = stop.parameters.slice(0, parametersAtMost).map((parameter, i): [string, string] => {
		const meaning = known?.parameters?.[i];
		return [`parameter ${i + 1}`, `${hex(parameter)}${meaning ? ` (${meaning})` : ""}`];
	});
	return {
		"stop code": formatStopCode(stop.code),
		...(name ? { "stop name": name } : {}),
		...Object.fromEntries(parameters),
		...(stop.module ? { module: stop.module.slice(0, nameLength) } : {}),
		...(known ? { page: known.page } : {}),
	};
}

/** Screens have them in lower case. */
function hex(parameter: string): string {
	const digits = /^0x([0-9a-f]{1,16})$/i.exec(parameter)?.[1];
	return digits === undefined ? parameter.slice(0, nameLength) : `0x${digits.toUpperCase()}`;
}
