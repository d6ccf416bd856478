import type { Site } from "../api/site.ts";
import { Sandbox } from "../network/sandbox.ts";
import type { StoredServer } from "../store/servers.ts";
import { type Context, namespaceOf } from "./context.ts";
import { completeServicesOf, doorUid, tapsOf } from "./resolve.ts";

/** The sandbox of the site that there is. */
export class SiteSandbox {
	private readonly context: Context;
	private current: Sandbox | undefined;
	/** While a server cannot be read, nobody knows its segment, and what its front door may do: both stay as they are. */
	private kept = false;

	constructor(context: Context) {
		this.context = context;
	}

	/** @throws Error when there is none */
	get sandbox(): Sandbox {
		if (!this.current) throw new Error("there is no sandbox");
		return this.current;
	}

	/** Name of its network namespace; null when there is none. */
	get namespace(): string | null {
		return this.current?.namespace ?? null;
	}

	/** Takes the sandbox of the daemon before as it is. @returns false when there is none */
	async keep(site: string): Promise<boolean> {
		const namespace = namespaceOf(this.context.paths, site);
		this.kept = await Sandbox.exists(namespace);
		if (this.kept) this.current = new Sandbox(namespace, site);
		return this.kept;
	}

	/** Brings it to a site's segments. */
	async open(site: Site): Promise<void> {
		// Only a site without servers can get another name.
		if (this.current && this.current.site !== site.name) await this.drop();
		this.current ??= new Sandbox(namespaceOf(this.context.paths, site.name), site.name);
		await this.current.ensure(
			Object.entries(site.segments ?? {}).map(([name, { subnet }]) => ({ name, subnet })),
		);
	}

	async drop(): Promise<void> {
		await this.current?.destroy();
		this.current = undefined;
	}

	/** Lets the front doors of these servers reach them, and no others. */
	async permit(servers: readonly StoredServer[]): Promise<void> {
		if (this.kept) return;
		const allowed = servers.flatMap((server) => {
			const address = server.definition.network?.address;
			return address
				? completeServicesOf(server).map(({ port }) => ({ uid: doorUid(server), address, port }))
				: [];
		});
		await this.current?.permit(allowed);
	}

	async removePorts(server: StoredServer): Promise<void> {
		await this.current?.removePorts(tapsOf(server));
	}
}
