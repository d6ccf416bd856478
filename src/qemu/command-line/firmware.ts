import type { FirmwareKind } from "../../api/guest.ts";
import { type Hardware, inside } from "../hardware.ts";

type Platform = Hardware["platform"];

/** Debian's package ovmf: TianoCore's firmware, and its variables as they are at first. */
const ovmf = "/usr/share/OVMF";
export const firmwareFiles = {
	uefi: { code: `${ovmf}/OVMF_CODE_4M.fd`, variables: `${ovmf}/OVMF_VARS_4M.fd` },
	/** With Microsoft's keys enrolled, so that Secure Boot is on. */
	"uefi-secure": { code: `${ovmf}/OVMF_CODE_4M.ms.fd`, variables: `${ovmf}/OVMF_VARS_4M.ms.fd` },
} as const satisfies Record<Exclude<FirmwareKind, "bios">, { code: string; variables: string }>;

/** Name of the file that a machine's own firmware variables are in. */
export const variablesFile = (kind: Exclude<FirmwareKind, "bios">) => `${kind}.fd`;

/** Options of the machine: UEFI's variables are protected by the processor's system management mode. */
export function firmwareOptions({ firmware }: Platform): string[] {
	if (firmware === "bios") return ["smm=off"];
	const flash = ["pflash0=firmware", "pflash1=variables"];
	return [firmware === "uefi-secure" ? "smm=on" : "smm=off", ...flash];
}

/** UEFI with the machine's own variables, and its TPM. */
export function firmwareArguments(platform: Platform): string[] {
	return [...uefi(platform), ...tpm(platform)];
}

function uefi({ firmware, machine }: Platform): string[] {
	if (firmware === "bios") return [];
	const code = { driver: "file", filename: firmwareFiles[firmware].code, "read-only": true };
	const own = { driver: "file", filename: `${inside.firmware}/${variablesFile(firmware)}` };
	return [
		...[
			"-blockdev",
			JSON.stringify({ driver: "raw", "node-name": "firmware", "read-only": true, file: code }),
		],
		...["-blockdev", JSON.stringify({ driver: "raw", "node-name": "variables", file: own })],
		...(firmware === "uefi-secure" ? ["-global", "driver=cfi.pflash01,property=secure,value=on"] : []),
		// OVMF cannot wake a machine from S3 with its variables protected.
		...(machine === "q35" ? ["-global", "ICH9-LPC.disable_s3=1"] : []),
	];
}

function tpm({ tpm }: Platform): string[] {
	if (tpm === "none") return [];
	return [
		...["-chardev", `socket,id=tpm,path=${inside.tpm}`],
		...["-tpmdev", "emulator,id=tpm0,chardev=tpm"],
		...["-device", `tpm-${tpm},tpmdev=tpm0`],
	];
}
