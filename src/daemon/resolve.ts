import { createHash } from "node:crypto";
import { join } from "node:path";
import { gatewayOf, parseSubnet } from "../api/addresses.ts";
import { gatewayOf6, parseSubnet6 } from "../api/addresses6.ts";
import type { Bus } from "../api/guest.ts";
import { parseDuration, parseSize } from "../api/units.ts";
import { bridgeAddressOnLan, bridgeLinkLocal, macOf, type PortPlan } from "../network/plan.ts";
import { guests, platformOf } from "../qemu/guests.ts";
import type { Disk, Drive, Hardware, Memory } from "../qemu/hardware.ts";
import { inside } from "../qemu/hardware.ts";
import type { Policy } from "../session/supervisor.ts";
import { instanceTag, type ServerPaths } from "../store/paths.ts";
import type { StoredServer } from "../store/servers.ts";
import { hasAnswersFloppy } from "../templates/windows/versions.ts";
import { heardServicesOf } from "./published.ts";

/**
 * From what is kept of a server to what each part needs to know of it. Pure, so that it can be read and tested.
 */

/** Far above what Debian, systemd and container tools hand out (systemd's docs/UIDS-GIDS), below 2^31. */
const firstUid = 1_900_000_000;
const uidsEach = 1000;

/** Daemons beside each other on one host have users of their own. */
export function firstUidOf(state: string): number {
	const tag = instanceTag(state);
	return firstUid + (tag === "" ? 0 : 1 + (Number.parseInt(tag, 16) % 100_000)) * uidsEach;
}

/** Users of QEMU and of the front door are apart: neither can touch the other's process or files. */
export const qemuUid = (server: StoredServer) => server.installed.uid;
export const doorUid = (server: StoredServer) => qemuUid(server) + 1;
/** Of what tells all servers their addresses: among those of names.ts, whose users have even numbers. */
export const leasesUid = (state: string) => firstUidOf(state) + 100_001_000 + uidsEach - 1;

/** Of what asks a domain's controllers for the host. */
export const domainNamesUid = (state: string) => leasesUid(state) - 2;

/** Of what reads images that others have written: an odd one as `domainNamesUid`, and nobody else's. */
export const imagesUid = (state: string) => domainNamesUid(state) - 2;

/** What the names of a server's taps begin with; each session has one of its own. */
export const tapsOf = (server: StoredServer) => `tap${server.installed.index}-`;

/** How a session comes to be: `own` memory boots; `sealing` boots to be frozen; `sealed` goes on from there. */
export interface Beginning {
	session: number;
	accelerator: "kvm" | "tcg";
	memory: Memory;
	generation: string;
	/** Boots from a system disk that is being changed. */
	changing?: boolean;
}

export function hardwareOf(server: StoredServer, beginning: Beginning): Hardware {
	const { session, accelerator, memory, generation } = beginning;
	const { installed, name } = server;
	const port = portOf(server, session);
	const system = systemDiskOf(server, beginning.changing ?? false);
	const boots = memory.kind === "own";
	return {
		name: `${name}#${session}`,
		uuid: installed.uuid,
		generation,
		accelerator,
		memoryBytes: memoryOf(server),
		memory,
		cpus: cpusOf(server),
		boot:
			installed.boot.kind === "disk"
				? installed.boot
				: // What was sealed has no number of its own, and all that comes from it has the same command line.
					{ kind: "kernel", append: appendOf(server, boots ? session : 0) },
		platform: platformOf(guestOf(server), accelerator, server.definition),
		// A seal knows of no data: that comes to each session when it begins.
		disks: boots ? [system, ...dataDisksOf(server)] : [system],
		hotplug: isWarm(server),
		drives: drivesOf(server),
		nic: port ? { tap: port.tap, mac: port.mac, card: cardOf(server) } : null,
		screen: hasScreen(server),
		limits: {
			bytesPerSecond: parseSize(server.definition.limits?.diskBytesPerSecond ?? "") ?? 200 * 2 ** 20,
			operationsPerSecond: server.definition.limits?.diskOperationsPerSecond ?? 4000,
		},
	};
}

function systemDiskOf({ installed, definition }: StoredServer, changing: boolean): Disk {
	const bus = busOf({ installed, definition });
	const name = "system";
	if (changing) return { name, file: changesInside, keep: "kept", bus };
	return installed.systemDisk === "disposable"
		? { name, file: `${inside.session}/system.qcow2`, keep: "throw-away", bus }
		: { name, file: `${inside.disks}/system.qcow2`, keep: "kept", bus };
}

/** What a server runs: what its site says, or what it was made as. */
export const guestOf = ({ definition, installed }: Pick<StoredServer, "definition" | "installed">) =>
	definition.guest ?? installed.guest;

/** The time zone that a Windows was set to, as far as its site tells; what is said of the server is newer than its answers. */
export const timeZoneOf = ({ definition: { timeZone, install } }: Pick<StoredServer, "definition">) =>
	timeZone ?? install?.answers?.timeZone;

/** What its system disk is attached to. */
export const busOf = (server: Pick<StoredServer, "definition" | "installed">): Bus =>
	server.definition.system?.bus ?? guests[guestOf(server)].disk;

export const cardOf = (server: StoredServer) =>
	server.definition.network?.card ?? guests[guestOf(server)].card;

/** Templates' guests are told everything by their kernel's command line, and show nothing on a screen that they need. */
export const hasScreen = ({ installed }: StoredServer) => installed.boot.kind === "disk";

/** Its CD drives, each with the disc that the site names for it. */
export function drivesOf(server: StoredServer): Drive[] {
	const {
		definition: { install },
		ejected,
	} = server;
	const discs = { installer: install?.iso, drivers: install?.drivers };
	const cds = Object.entries(discs).flatMap(([name, disc]): Drive[] =>
		disc === undefined
			? []
			: [{ name, kind: "cd", file: ejected.includes(disc) ? null : `${inside.discs}/${name}.iso` }],
	);
	return [...cds, ...answersDrive(server)];
}

/** Windows' installers look for their answers on whatever can be taken out; those of before 2008 on a floppy disk alone. */
function answersDrive(server: StoredServer): Drive[] {
	if (!server.definition.install?.answers) return [];
	const floppy = hasAnswersFloppy(guestOf(server));
	const file = `${inside.discs}/${answersFile(floppy)}`;
	return [
		{
			name: "answers",
			kind: floppy ? "floppy" : "cd",
			file: server.ejected.includes("answers") ? null : file,
		},
	];
}

/** Whether a Windows is being installed unattended: its answers are in the drive. */
export function isInstalling(server: StoredServer): boolean {
	return drivesOf(server).some(({ name, file }) => name === "answers" && file !== null);
}

const answersFile = (floppy: boolean) => (floppy ? "answers.img" : "answers.iso");

/** The host's file of a disc, and what it is known by as ejected. */
export function discOf(
	{ definition: { install } }: StoredServer,
	{ name, kind }: Drive,
	{ answers }: Pick<ServerPaths, "answers">,
): { file: string; name: string } {
	if (name === "answers") return { file: join(answers, answersFile(kind === "floppy")), name };
	const file = (name === "drivers" ? install?.drivers : install?.iso) ?? "";
	return { file, name: file };
}

/** Where a session finds the system disk that is being changed. */
export const changesInside = `${inside.disks}/changes.qcow2`;

/** Whether its sessions start from a seal. */
export const isWarm = (server: StoredServer) => server.definition.recovery?.mode === "warm";

export function dataDisksOf(server: StoredServer): Disk[] {
	const usual: Bus = isWarm(server) ? "virtio-scsi" : guests[guestOf(server)].disk;
	return (server.definition.data ?? []).map(({ name, bus = usual }) => ({
		name,
		file: `${inside.disks}/${name}.qcow2`,
		keep: "kept",
		bus,
	}));
}

/** The same for every session that boots from the server's own disks: to the guest no time was lost or doubled. */
export function generationOf(server: StoredServer): string {
	const hex = createHash("sha256").update(`generation/${server.installed.uuid}`).digest("hex");
	return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join(
		"-",
	);
}

/** Guests made from templates learn their place from the kernel's command line. */
function appendOf(server: StoredServer, session: number): string {
	const { installed, name, subnet, definition, lan } = server;
	const parsed = subnet === null ? undefined : parseSubnet(subnet);
	const base = installed.boot.kind === "kernel" ? installed.boot.append : "";
	const network =
		parsed && definition.network
			? [
					`bulkhead.address=${definition.network.address}/${parsed.length}`,
					`bulkhead.gateway=${lan?.gateway ?? gatewayOf(parsed)}`,
					// Elsewhere the gateway answers; that of the LAN is another machine.
					...(lan ? [`bulkhead.nameserver=${bridgeAddressOnLan}`] : []),
				]
			: [];
	const parsed6 = server.subnet6 === null ? undefined : parseSubnet6(server.subnet6);
	const address6 = definition.network?.address6;
	const network6 =
		parsed6 && address6
			? lan
				? // The sandbox answers for whoever asks by IPv4 only: by IPv6 everybody else is reached through it.
					[`bulkhead.address6=${address6}/128`, `bulkhead.gateway6=${bridgeLinkLocal}`]
				: [`bulkhead.address6=${address6}/${parsed6.length}`, `bulkhead.gateway6=${gatewayOf6(parsed6)}`]
			: [];
	return [base, ...network, ...network6, `bulkhead.server=${name}`, `bulkhead.session=${session}`].join(" ");
}

/** The guest's gateway with its network, as `10.77.0.1/24`; null without a network. */
export function gatewayEndOf({ subnet, lan }: StoredServer): string | null {
	const parsed = parseSubnet(subnet ?? "");
	return parsed ? `${lan?.gateway ?? gatewayOf(parsed)}/${parsed.length}` : null;
}

/** From where the sandbox itself, its front doors among it, speaks to a server. */
export function sandboxAddressOf({ subnet, lan }: StoredServer): string {
	const parsed = parseSubnet(subnet ?? "");
	return lan || !parsed ? bridgeAddressOnLan : gatewayOf(parsed);
}

export const memoryOf = (server: StoredServer) =>
	parseSize(server.definition.memory ?? "") ?? server.installed.memoryBytes;
export const cpusOf = (server: StoredServer) => server.definition.cpus ?? server.installed.cpus;

export function portOf(server: StoredServer, session: number): PortPlan | null {
	const { network } = server.definition;
	if (!network) return null;
	const { name: own, site } = server;
	const mac = network.mac ?? macOf(site, own);
	// Interface names have at most 15 characters; sessions that live at the same time are never a million apart.
	return {
		server: own,
		...network,
		mac,
		tap: `${tapsOf(server)}${session % 1_000_000}`,
		uid: qemuUid(server),
	};
}

export function policyOf(server: StoredServer): Policy {
	const { recovery } = server.definition;
	return {
		server: server.name,
		hearing: {
			agent: server.definition.agent ?? server.installed.agent,
			services: heardServicesOf(server),
		},
		patience: {
			boot: parseDuration(recovery?.bootDeadline ?? "5m") ?? 300_000,
			silence: parseDuration(recovery?.silence ?? "20s") ?? 20_000,
		},
		budget: {
			attempts: recovery?.budget?.attempts ?? 5,
			withinMs: parseDuration(recovery?.budget?.within ?? "10m") ?? 600_000,
		},
		warm: isWarm(server)
			? {
					standby: recovery?.standby ?? 1,
					renewAfterMs: parseDuration(recovery?.renewEvery ?? "") ?? null,
					sleepAfterMs: parseDuration(server.definition.sleep?.after ?? "") ?? null,
				}
			: null,
	};
}
