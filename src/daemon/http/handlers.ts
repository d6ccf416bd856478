import { BulkheadError } from "../../api/errors.ts";
import type { Answer, Body, Params, RouteName } from "../../api/routes.ts";
import { isAllowed } from "../../api/server.ts";
import { servicesView } from "../../network/services.ts";
import { inspectWindowsIso } from "../../templates/windows/inspect-iso.ts";
import type { Bulkhead } from "../bulkhead.ts";
import type { Context } from "../context.ts";

/** The signal aborts when the client goes away before it has its answer: for what may take long and changes nothing, or has not begun yet. */
export type Handlers = {
	[R in RouteName]: (params: Params<R>, body: Body<R>, gone: AbortSignal) => Promise<Answer<R>>;
};

export interface Identity {
	version: string;
	startedAt: number;
}

/** What the daemon does for each route of the API. */
export function handlers(bulkhead: Bulkhead, context: Context, identity: Identity): Handlers {
	const command = async (name: string, what: Parameters<ReturnType<Bulkhead["server"]>["command"]>[0]) => {
		const unit = bulkhead.server(name);
		await unit.command(what);
		return unit.view();
	};
	return {
		status: async () => ({
			...identity,
			pid: process.pid,
			state: context.paths.state,
			site: bulkhead.siteName,
			changing: bulkhead.isChanging,
			accelerator: context.acceleration.accelerator,
		}),
		services: async () => servicesView(),
		list: async () => bulkhead.list().map((unit) => unit.view()),
		show: async ({ server }) => bulkhead.server(server).view(),
		sandbox: async ({ server }) => await bulkhead.sandboxOf(server),
		traffic: async ({ server }) => await bulkhead.trafficOf(server),
		start: async ({ server }) => (await bulkhead.start(server)).view(),
		stop: async ({ server }, { deadlineMs }) => await command(server, { do: "stop", deadlineMs }),
		restart: async ({ server }, { deadlineMs }) => await command(server, { do: "restart", deadlineMs }),
		delete: async ({ server }, _, gone) => {
			const { state } = bulkhead.server(server).record;
			if (!isAllowed("delete", state))
				throw new BulkheadError("not-allowed-now", `${server} is ${state}; stop it first`);
			await bulkhead.delete(server, gone);
			return { deleted: server };
		},
		maintenance: async ({ server }, { on }) => await command(server, { do: "maintenance", on }),
		changes: async ({ server }, { what }) => await command(server, { do: `${what}-changes` }),
		renew: async ({ server }, { deadlineMs }) => await command(server, { do: "renew", deadlineMs }),
		seal: async ({ server }) => await command(server, { do: "seal" }),
		publish: async ({ server }, wanted) => await bulkhead.publish(server, wanted),
		unpublish: async ({ server }, unwanted) => await bulkhead.unpublish(server, unwanted),
		drill: async ({ server }, { fault }) => {
			const unit = bulkhead.server(server);
			await unit.command({ do: "drill", fault });
			const drill = unit.supervisor.lastDrill;
			if (!drill) throw new BulkheadError("internal", "the drill left no trace");
			return { session: drill.session, at: drill.at };
		},
		keys: async ({ server }, { keys }) => {
			await bulkhead.server(server).pressKeys(keys);
			return { server, pressed: keys.length };
		},
		eject: async ({ server }) => ({ server, discs: await bulkhead.eject(server) }),
		guestDisks: async ({ server }) => ({ server, disks: await bulkhead.server(server).guestDisks() }),
		domain: async () => ({ domain: await bulkhead.membership.view() }),
		createDomain: async ({ server }, wanted) => await bulkhead.createDomain(server, wanted),
		useDomain: async ({ server }, wanted) => await bulkhead.useDomain(server, wanted),
		forgetDomain: async ({ server }) => await bulkhead.forgetDomain(server),
		administerDomain: async ({ server }, wanted) => await bulkhead.administerDomain(server, wanted),
		joinDomain: async (_, wanted) => await bulkhead.membership.join(wanted),
		leaveDomain: async (_, { account }) => await bulkhead.membership.leave(account),
		shares: async () => ({ shares: await bulkhead.membership.viewShares() }),
		addShare: async (_, wanted) => await bulkhead.membership.addShare(wanted),
		removeShare: async ({ share }) => await bulkhead.membership.removeShare(share),
		incidents: async () => await context.incidents.list(),
		incident: async ({ incident }) => {
			const found = await context.incidents.load(incident);
			if (found) return found;
			throw new BulkheadError(
				"not-found",
				`there is no incident ${incident.slice(0, 60)}; \`bulkhead incidents\` shows all`,
			);
		},
		events: async () => await context.history.last(1000),
		examineImport: async (_, wanted, gone) => await bulkhead.examineImport(wanted, gone),
		windowsIso: async (_, { path }, gone) => await inspectWindowsIso(path, gone),
		plan: async (_, { text }) => (await bulkhead.plan(text)).plan,
	};
}
