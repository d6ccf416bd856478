import { asMember } from "../../src/directory/member/view.ts";
import { CommandError, run } from "../../src/host/command.ts";
import { installFor } from "../packages.ts";
import type { DomainClient } from "./client.ts";
import type { Entrance } from "./host-files.ts";

/** Runs one of Samba's programs as the host. @returns what it wrote. @throws CommandError */
export type AsHost = (command: readonly string[], signal?: AbortSignal) => Promise<string>;

/** Among the membership's own files, where a host's winbindd is whose users do not log in. */
export function amongMembersFiles(folder: string): AsHost {
	return async (command, signal) => {
		const bounds = { deadlineMs: 60_000, ...(signal ? { signal } : {}) };
		return (await asMember(folder, command, bounds)).stdout;
	};
}

/** @returns whether a user of the domain may log in to the host, and how long that took. @throws when it cannot be said */
export async function logon(
	asHost: AsHost,
	workgroup: string,
	user: string,
	password: string,
): Promise<Entrance> {
	const from = performance.now();
	const ok = await asHost(["wbinfo", `--pam-logon=${workgroup}\\${user}%${password}`]).then(
		() => true,
		(error: unknown) => {
			if (error instanceof CommandError && error.code === 1) return false;
			throw error;
		},
	);
	return { ok, ms: Math.round(performance.now() - from) };
}

/** @returns whether the host's winbindd has a connection to the domain */
export async function isConnected(asHost: AsHost, workgroup: string, signal: AbortSignal): Promise<boolean> {
	const said = await asHost(["wbinfo", "--online-status"], signal);
	return said.split("\n").includes(`${workgroup} : active connection`);
}

/** A desk on the LAN joins the domain as any Debian does, with adcli, by the controller's own names. */
export class Desk {
	private readonly client: DomainClient;
	private readonly keytab: string;
	private readonly name: string;

	/** @param keytab file for its keys */
	constructor(client: DomainClient, name: string, keytab: string) {
		this.client = client;
		this.name = name;
		this.keytab = keytab;
	}

	async join(): Promise<void> {
		await installFor(["/usr/sbin/adcli"], ["adcli"]);
		const { realm, password } = this.client.domain;
		const own = ["--computer-name", this.name, "--host-fqdn", this.client.fullName(this.name.toLowerCase())];
		const who = ["--login-user", "Administrator", "--stdin-password", "--host-keytab", this.keytab];
		await this.client.run(["adcli", "join", ...who, ...own, realm], { input: password, deadlineMs: 120_000 });
	}

	/** @returns whether the domain believes its password, and gives it a ticket */
	async isMember(): Promise<boolean> {
		const { realm } = this.client.domain;
		const commands = [
			["adcli", "testjoin", "--host-keytab", this.keytab, "--domain", realm],
			["kinit", "-k", "-t", this.keytab, "-c", `${this.keytab}.ticket`, `${this.name}$`],
		];
		for (const command of commands) {
			const done = await this.client.run(command).then(
				() => true,
				(error: unknown) => {
					if (error instanceof CommandError && error.code !== null) return false;
					throw error;
				},
			);
			if (!done) return false;
		}
		return true;
	}
}

/** Runs `bulkhead …` as a person on the host would. @returns what it wrote. @throws CommandError */
export async function bulkhead(
	launcher: string,
	state: string,
	words: readonly string[],
	{ input = "", signal }: { input?: string; signal: AbortSignal },
): Promise<string> {
	const env = { BULKHEAD_STATE: state, NO_COLOR: "1" };
	return (await run(launcher, words, { deadlineMs: 1_800_000, env, input, signal })).stdout;
}
