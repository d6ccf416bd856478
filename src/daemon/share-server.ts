import type { Member } from "../directory/member/plan.ts";
import { knowIdentities } from "../directory/member/shares/identities.ts";
import { hide, show, shownTo } from "../directory/member/shares/mounts.ts";
import { nameAt, type Shares, seenAt } from "../directory/member/shares/plan.ts";
import {
	closeShare,
	endSmbd,
	presentAddresses,
	reloadSmbd,
	removeSmbd,
	requirePort,
	seesWinbind,
	smbdProcess,
	smbdWords,
	startSmbd,
	toldAddresses,
	writeConfig,
} from "../directory/member/shares/smbd.ts";
import { ControlGroup } from "../host/cgroup.ts";
import type { ProcessIdentity } from "../host/process.ts";
import { type Context, domainSharesGroup } from "./context.ts";
import { Restarts } from "./restarts.ts";

/** One process for everybody who is connected, of some 15 MB of its own each. */
const limits = { memoryBytes: 4 * 2 ** 30, cpus: 2, tasks: 1024, cpuWeight: 100 } as const;

/** smbd, with what it is told and shown, and nothing of what that is for. */
export class ShareServer {
	private readonly context: Context;
	private readonly restarts = new Restarts();
	/** Whether smbd has read what it is told; an earlier daemon may have been ended before it told it to. */
	private isRead = false;

	constructor(context: Context) {
		this.context = context;
	}

	private get folder(): string {
		return this.context.paths.domain;
	}

	/**
	 * Has it run, and serve these folders.
	 * @param trouble why it could not be started before
	 * @throws Error what stands in the way; it is tried again with the next call, less and less often
	 */
	async keep(member: Member, served: Shares, trouble: string | null): Promise<void> {
		const smbd = await this.keepRunning(member, served, trouble);
		await this.keepShown(member, smbd, served);
	}

	/** It is tried at once again. */
	forget(): void {
		this.restarts.forget();
	}

	/** Ends it, and removes all that was its own. @throws Error when it does not end */
	async end(): Promise<void> {
		await this.endProcesses();
		await removeSmbd(this.folder);
		this.restarts.forget();
	}

	/** Has smbd run, at all addresses that the host has by now. @throws Error */
	private async keepRunning(
		member: Member,
		served: Shares,
		trouble: string | null,
	): Promise<ProcessIdentity> {
		const { listen } = served;
		const present = presentAddresses(listen);
		const told = await toldAddresses(this.folder);
		const running = await smbdProcess(this.folder);
		const isRight =
			(await seesWinbind(this.folder, member.logins)) && present.every((address) => told.includes(address));
		if (running && isRight) {
			this.restarts.runs();
			return running;
		}
		if (present.length === 0)
			throw new Error(`shares are served at ${listen.join(", ")}, which this host does not have now`);
		if (running) this.restarts.forget();
		if (this.restarts.due() === "no") throw new Error(trouble ?? (await smbdWords(this.folder)));
		// With who is left of one that was killed.
		await this.endProcesses();
		await requirePort(present);
		await knowIdentities(this.folder);
		await writeConfig(this.folder, member, served, present);
		const { paths, groups } = this.context;
		const group = await ControlGroup.create(domainSharesGroup(paths), limits, groups);
		await startSmbd(this.folder, present, group.entries);
		const begun = await smbdProcess(this.folder);
		if (!begun) throw new Error(await smbdWords(this.folder));
		return begun;
	}

	/** Has it know and see what is shared, and nothing else. */
	private async keepShown(
		member: Member,
		smbd: ProcessIdentity,
		served: Pick<Shares, "shares">,
	): Promise<void> {
		const wanted = new Map(served.shares.map((share) => [seenAt(share), share]));
		const shown = await shownTo(smbd);
		for (const [at, { path, readOnly }] of wanted)
			if (!shown.includes(at)) await show(smbd, path, at, { readOnly });
		if (await writeConfig(this.folder, member, served, await toldAddresses(this.folder))) this.isRead = false;
		if (!this.isRead) await reloadSmbd(this.folder);
		this.isRead = true;
		for (const at of shown.filter((one) => !wanted.has(one))) {
			await closeShare(this.folder, nameAt(at));
			await hide(smbd, at);
		}
	}

	/** @throws Error when it does not end */
	private async endProcesses(): Promise<void> {
		if (!(await endSmbd(this.folder))) throw new Error("smbd does not end, even when killed");
		const { paths, groups } = this.context;
		const left = await ControlGroup.at(domainSharesGroup(paths), groups).destroy();
		if (left.length > 0) throw new Error(`smbd leaves processes that do not end: ${left.join(", ")}`);
	}
}
