import { once } from "node:events";
import { access, readFile, readlink } from "node:fs/promises";
import { createServer, isIP } from "node:net";
import { type DnsWay, dnsAddress } from "../../../api/domain.ts";
import { BulkheadError } from "../../../api/errors.ts";
import { readIfThere } from "../../../host/files.ts";
import { type Edit, marked } from "../logins/edits.ts";
import { change, putBack } from "../logins/kept.ts";
import { memberFiles } from "../plan.ts";
import { requireResolved } from "./resolved.ts";

const file = "/etc/resolv.conf";

/** Whose names are asked for where. */
export interface Zone {
	realm: string;
	controllers: readonly string[];
}

const { block, withoutBlock } = marked("--dns");

/** The original name servers stay behind ours: names resolve, the domain's excepted, also when nobody listens there. Pure. */
export const resolverEdit: Edit = {
	path: file,
	apply: (text) => {
		const at = (text ?? "").search(/^[ \t]*nameserver[ \t]/m);
		if (text === null || at < 0)
			throw new BulkheadError("not-allowed-now", `dns: ${file} names no name server; it has to name one`);
		return text.slice(0, at) + block([`nameserver ${dnsAddress}`]) + text.slice(at);
	},
	retract: withoutBlock,
};

/** @returns the name servers in a resolv.conf, in order; pure */
export function nameServersOf(text: string): string[] {
	return [...text.matchAll(/^[ \t]*nameserver[ \t]+(\S+)/gm)].flatMap(([, address = ""]) =>
		isIP(address) === 0 ? [] : [address],
	);
}

/** Where systemd-resolved listens for programs: systemd-resolved.service(8). */
const stubs = ["127.0.0.53", "127.0.0.54"];

/** Whether this host's programs ask systemd-resolved by it. @param link where it leads when it is a link; pure */
export function isResolved(text: string, link: string | null): boolean {
	return (
		nameServersOf(text).some((one) => stubs.includes(one)) || (link?.endsWith("/stub-resolv.conf") ?? false)
	);
}

/**
 * @param link where it leads when it is a link
 * @throws BulkheadError when another program writes the file, or the change would not do what it is for; pure
 */
export function refuseManaged(text: string, link: string | null, { realm, controllers }: Zone): void {
	const zone = realm.toLowerCase();
	const refusal = (why: string) =>
		new BulkheadError(
			"not-allowed-now",
			`dns: ${file} ${why}; have that ask ${controllers.join(", ")} for ${zone} alone (dnsmasq: ${controllers.map((one) => `server=/${zone}/${one}`).join(", ")}), and join without --dns`,
		);
	// It is systemd-resolved that writes it, and who reads it asks others.
	if (link?.endsWith("/systemd/resolve/resolv.conf"))
		throw new BulkheadError(
			"not-allowed-now",
			`dns: ${file} leads past systemd-resolved (${link}), which alone can ask for ${zone} elsewhere than for other names; as root: ln -sf ../run/systemd/resolve/stub-resolv.conf ${file}`,
		);
	if (link !== null) throw refusal(`is a link to ${link}, which another program writes`);
	const local = nameServersOf(text).find(isLocal);
	if (local !== undefined) throw refusal(`names a program of this host, at ${local}`);
	const said = /^[ \t]*[#;].*(?:generated|managed|do not edit|resolvconf|NetworkManager|dhcpcd|connman).*$/im;
	const header = said.exec(text)?.[0];
	if (header !== undefined) throw refusal(`is another program's, as it says (${header.trim().slice(0, 80)})`);
	if (/^[ \t]*options\b.*[ \t]rotate\b/m.test(text))
		throw new BulkheadError(
			"not-allowed-now",
			`dns: ${file} has \`options rotate\`, with which not the first name server is asked; take it out`,
		);
}

/**
 * @returns how this host's programs can be led there
 * @throws BulkheadError host-lacks, not-allowed-now: the domain's names could not be asked for at its controllers alone
 */
export async function requireNames(zone: Zone): Promise<DnsWay> {
	await access("/usr/sbin/dnsmasq").catch(() => {
		throw new BulkheadError("host-lacks", "dns: needs dnsmasq; as root: apt-get install dnsmasq-base");
	});
	await refuseTaken();
	const text = await readIfThere(file);
	const link = await readlink(file).catch(() => null);
	if (isResolved(text ?? "", link)) {
		await requireResolved();
		return "systemd-resolved";
	}
	refuseManaged(text ?? "", link, zone);
	resolverEdit.apply(text ?? null);
	// Containers have it from outside, and it cannot be replaced there.
	if ((await readFile("/proc/self/mountinfo", "utf8")).includes(` ${file} `))
		throw new BulkheadError(
			"not-allowed-now",
			`dns: ${file} is mounted into this host from outside, and cannot be changed here; join without --dns`,
		);
	return "resolv.conf";
}

/** Over TCP, which all name servers listen on: two may share a port of UDP, and one of them then gets nothing. */
async function refuseTaken(): Promise<void> {
	const server = createServer();
	try {
		const listening = once(server, "listening", { signal: AbortSignal.timeout(1000) });
		server.listen({ host: dnsAddress, port: 53 });
		await listening;
	} catch (error) {
		throw new BulkheadError(
			"not-allowed-now",
			`dns: port 53 of ${dnsAddress} cannot be had; a name server of this host that listens at all addresses has to listen at its own alone`,
			{ cause: error },
		);
	} finally {
		server.close();
	}
}

/** Has this host's programs ask there first. @throws Error; `closeNames` undoes what was half done */
export async function openNames(folder: string): Promise<void> {
	await change(memberFiles(folder).dnsRecord, [resolverEdit]);
}

/** @returns the file, when somebody else had changed it since */
export async function closeNames(folder: string): Promise<string[]> {
	return await putBack(memberFiles(folder).dnsRecord, [resolverEdit]);
}

/** What listens on the host itself may ask by /etc/resolv.conf, and each other for ever. */
function isLocal(address: string): boolean {
	return /^127\.|^::1$/.test(address);
}

/** @returns whether this host's programs ask there first, and the name servers beyond this host */
export async function currentNames(): Promise<{ first: boolean; others: string[] }> {
	const all = nameServersOf((await readIfThere(file)) ?? "");
	return { first: all[0] === dnsAddress, others: all.filter((one) => !isLocal(one)) };
}
