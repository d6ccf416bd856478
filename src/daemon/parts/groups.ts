import { BulkheadError } from "../../api/errors.ts";
import { ControlGroup, listGroups } from "../../host/cgroup.ts";
import { type Context, groupOwner, groupRoot } from "../context.ts";

/** The control groups of everything that this daemon and those before it have started. */
export class Groups {
	private readonly context: Context;

	constructor(context: Context) {
		this.context = context;
	}

	/**
	 * Ends what still runs of a server, and removes its groups.
	 * @throws BulkheadError not-allowed-now, when a process does not end: its files are not to be touched then
	 */
	async removeOf(server: string): Promise<void> {
		for (const group of await this.list()) {
			if (group.server !== server) continue;
			const pids = await this.destroy(group.path);
			if (pids.length === 0) continue;
			const mend =
				"its files are left as they are; when it has ended, restart the daemon and delete the server again";
			throw new BulkheadError(
				"not-allowed-now",
				`process ${pids.join(", ")} of ${server} does not end; ${mend}`,
			);
		}
	}

	/**
	 * Ends what runs in groups whose server is gone, as a daemon that was ended in the middle of a deletion leaves it.
	 * @param sure false when the state directory knows of no server at all although there should be some: it may be the
	 *   wrong one, or not mounted; then they are only told of
	 */
	async removeStrays(known: readonly string[], sure: boolean): Promise<void> {
		for (const { path, server } of await this.list()) {
			if (known.includes(server)) continue;
			if (sure) await this.destroy(path);
			else this.context.log.error({ group: path }, "nothing is known of what runs there; it is left alone");
		}
	}

	/** Whether there is no group of any session, front door or other part of a server. */
	async isEmpty(): Promise<boolean> {
		return (await this.list()).length === 0;
	}

	/** Removes the groups that held those of all servers, when there are none any more. */
	async removeEmpty(): Promise<void> {
		if ((await this.list()).length > 0) return;
		await this.destroy(groupRoot(this.context.paths));
	}

	/** All groups of sessions and front doors, with the server that each is of. */
	private async list(): Promise<{ path: string; server: string }[]> {
		const root = groupRoot(this.context.paths);
		return (await listGroups(root, this.context.groups)).flatMap((name) => {
			const owner = groupOwner(name);
			return owner ? [{ path: `${root}/${name}`, server: owner.server }] : [];
		});
	}

	/** @returns the pids that do not end */
	private async destroy(path: string): Promise<number[]> {
		return await ControlGroup.at(path, this.context.groups).destroy();
	}
}
