import { ControlGroup, listGroups } from "../../host/cgroup.ts";
import { type Context, groupParents, groupRoot } from "../context.ts";

/** The control groups of everything that this daemon and those before it have started. */
export class Groups {
	private readonly context: Context;

	constructor(context: Context) {
		this.context = context;
	}

	/** Ends what still runs of a server, and removes its groups. */
	async removeOf(server: string): Promise<void> {
		for (const group of await this.list()) if (group.server === server) await this.destroy(group.path);
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

	/** Removes the groups that held those of all servers, when there are none any more. */
	async removeEmpty(): Promise<void> {
		if ((await this.list()).length > 0) return;
		const { sessions, doors } = groupParents(this.context.paths);
		for (const path of [sessions, doors, groupRoot(this.context.paths)]) await this.destroy(path);
	}

	/** All groups of sessions and front doors, with the server that each is of. */
	private async list(): Promise<{ path: string; server: string }[]> {
		const { paths, groups } = this.context;
		const { sessions, doors } = groupParents(paths);
		const ofSessions = (await listGroups(sessions, groups)).map((name) => ({
			path: `${sessions}/${name}`,
			server: name.replace(/-\d+$/, ""),
		}));
		const ofDoors = (await listGroups(doors, groups)).map((server) => ({
			path: `${doors}/${server}`,
			server,
		}));
		return [...ofSessions, ...ofDoors];
	}

	private async destroy(path: string): Promise<void> {
		await ControlGroup.at(path, this.context.groups).destroy();
	}
}
