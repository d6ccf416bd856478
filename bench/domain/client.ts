import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../../src/host/command.ts";
import { installFor } from "../packages.ts";

/** Of Debian; none of them is ours. */
const programs = {
	"/usr/bin/kinit": "krb5-user",
	"/usr/bin/ldapsearch": "ldap-utils",
	"/usr/bin/smbclient": "smbclient",
	"/usr/bin/host": "bind9-host",
	"/usr/lib/x86_64-linux-gnu/sasl2/libgssapiv2.so": "libsasl2-modules-gssapi-mit",
};
const withinMs = 60_000;

export interface Domain {
	realm: string;
	/** The Administrator's. */
	password: string;
	/** Addresses of its controllers. */
	controllers: readonly string[];
}

/**
 * A machine that uses a domain with programs that no one here wrote: MIT Kerberos, OpenLDAP's and Samba's tools. It asks
 * the controllers for names, and nothing of it is below the host's /etc.
 */
export class DomainClient implements AsyncDisposable {
	readonly domain: Domain;
	/** Network namespace that it is in; this host's own network when null. */
	private readonly namespace: string | null;
	private readonly folder: string;

	private constructor(domain: Domain, namespace: string | null, folder: string) {
		this.domain = domain;
		this.namespace = namespace;
		this.folder = folder;
	}

	static async open(domain: Domain, namespace: string | null = null): Promise<DomainClient> {
		await installFor(Object.keys(programs), Object.values(programs));
		const client = new DomainClient(domain, namespace, await mkdtemp(join(tmpdir(), "bulkhead-client-")));
		await client.furnish();
		return client;
	}

	/** Name of a controller in the domain, as in dc1.ad.example.com. */
	fullName(host: string): string {
		return `${host}.${this.domain.realm.toLowerCase()}`;
	}

	/** The root of its directory, as in DC=ad,DC=example,DC=com. */
	get base(): string {
		const words = this.domain.realm.toLowerCase().split(".");
		return words.map((word) => `DC=${word}`).join(",");
	}

	/** Takes a Kerberos ticket, by which later commands are known. @throws CommandError when there is none for it */
	async kinit(user: string, password: string): Promise<void> {
		await this.run(["kinit", user], { input: `${password}\n` });
	}

	/** Searches below the domain's root. @param how as GSSAPI, or LDAPS with the Administrator's password */
	async search(
		host: string,
		how: "kerberos" | "tls",
		filter: string,
		...attributes: string[]
	): Promise<string> {
		const words = ["-LLL", "-o", "ldif-wrap=no", "-b", this.base, filter, ...attributes];
		return await this.run(["ldapsearch", ...this.bind(host, how), ...words]);
	}

	/** Adds a user over LDAPS; it is there when this returns. @param hosts controllers, tried in this order */
	async addUser(hosts: string | readonly string[], name: string, password: string): Promise<void> {
		await this.add(hosts, "user", name, password, [
			`userPrincipalName: ${name}@${this.domain.realm.toLowerCase()}`,
			"userAccountControl: 512",
		]);
	}

	/** Adds the account of a computer, with a password that is known. @returns the last part of its SID */
	async addComputer(host: string, name: string, password: string): Promise<number> {
		await this.add(host, "computer", `${name}$`, password, ["userAccountControl: 4096"]);
		const found = await this.search(host, "tls", `(sAMAccountName=${name}$)`, "objectSid");
		const sid = Buffer.from(/^objectSid:: (\S+)$/m.exec(found)?.[1] ?? "", "base64");
		return sid.readUInt32LE(sid.length - 4);
	}

	private async add(
		hosts: string | readonly string[],
		kind: "user" | "computer",
		account: string,
		password: string,
		more: readonly string[],
	): Promise<void> {
		const quoted = Buffer.from(`"${password}"`, "utf16le").toString("base64");
		const lines = [
			`dn: CN=${account.replace(/\$$/, "")},CN=Users,${this.base}`,
			`objectClass: ${kind}`,
			`sAMAccountName: ${account}`,
			`unicodePwd:: ${quoted}`,
			...more,
		];
		await this.run(["ldapadd", ...this.bind(hosts, "tls")], { input: `${lines.join("\n")}\n` });
	}

	/** @returns the names of the users that are there, in the order of the alphabet */
	async users(host: string): Promise<string[]> {
		// A thousand entries are the most that a controller gives at a time.
		const pages = ["-E", "pr=500/noprompt"];
		const words = [...pages, "-LLL", "-o", "ldif-wrap=no", "-b", this.base];
		const filter = "(&(objectClass=user)(!(objectClass=computer)))";
		const found = await this.run([
			"ldapsearch",
			...this.bind(host, "tls"),
			...words,
			filter,
			"sAMAccountName",
		]);
		return [...found.matchAll(/^sAMAccountName: (.*)$/gm)].map(([, name = ""]) => name).sort();
	}

	/** Runs a program as this machine. @throws CommandError */
	async run(command: readonly string[], { input = "", deadlineMs = withinMs } = {}): Promise<string> {
		const [file = "", ...args] = this.view(command);
		return (await run(file, args, { deadlineMs, input, env: this.environment() })).stdout;
	}

	/** The command line that runs a program as this machine, for one that is to run on; with `environment`. */
	view(command: readonly string[]): string[] {
		const own = ["hosts", "resolv.conf"].map((name) => `mount --bind ${this.folder}/${name} /etc/${name}`);
		const enter = this.namespace === null ? [] : ["nsenter", `--net=/run/netns/${this.namespace}`];
		const script = [...own, 'exec "$@"'].join(" && ");
		return [...enter, "unshare", "--mount", "sh", "-c", script, "sh", ...command];
	}

	environment(): Record<string, string> {
		const { folder } = this;
		return {
			KRB5_CONFIG: join(folder, "krb5.conf"),
			KRB5CCNAME: join(folder, "ticket"),
			// The certificate is the controller's own: nobody else vouches for it.
			LDAPTLS_REQCERT: "allow",
			LDAPSASL_NOCANON: "on",
		};
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await rm(this.folder, { recursive: true, force: true });
	}

	private bind(hosts: string | readonly string[], how: "kerberos" | "tls"): string[] {
		const scheme = how === "kerberos" ? "ldap" : "ldaps";
		const names = [hosts].flat().map((host) => `${scheme}://${this.fullName(host)}`);
		if (how === "kerberos") return ["-Q", "-Y", "GSSAPI", "-H", names.join(" ")];
		const administrator = `Administrator@${this.domain.realm.toLowerCase()}`;
		return ["-x", "-H", names.join(" "), "-D", administrator, "-y", join(this.folder, "password")];
	}

	private async furnish(): Promise<void> {
		const { realm, controllers, password } = this.domain;
		const files = {
			// Its own name is here, as Debian's installer puts it: OpenLDAP looks it up each time.
			hosts: `127.0.0.1 localhost\n127.0.1.1 ${hostname()}\n`,
			"resolv.conf": `${controllers.map((address) => `nameserver ${address}\n`).join("")}`,
			// As they come: whom to ask is found by the domain's own names.
			"krb5.conf": `[libdefaults]\ndefault_realm = ${realm.toUpperCase()}\nrdns = false\ndns_canonicalize_hostname = false\n`,
			password,
		};
		for (const [name, text] of Object.entries(files))
			await writeFile(join(this.folder, name), text, { mode: name === "password" ? 0o600 : 0o644 });
	}
}
