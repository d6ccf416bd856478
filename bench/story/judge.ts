import type { Verdict } from "../recovery/judge.ts";

/** What became of one panic. Milliseconds, from the panic on where nothing else is said. */
export interface Drill {
	/** Until somebody's question to the directory, and logon by Kerberos, was answered. */
	ldapMs: number | null;
	kerberosMs: number | null;
	/** Questions that were refused or had no answer, of those that came during the outage; who was in the midst fails at once. */
	refused: number;
	refusals?: string[];
	/** Whether somebody got in who logged in to the host meanwhile, and how long she waited where no controller answered by then. */
	cachedLogonOk: boolean;
	cachedLogonMs: number | null;
	wrongRefused: boolean;
	/** How long somebody at the desk waited who logged in to the host by SSH before; null when she did not get in. */
	sshMs: number | null;
	/** Whether she got in meanwhile, and how long she waited where the controller was not whole by then. */
	sshDuringOk: boolean;
	cachedSshMs: number | null;
	/** Until files are served, which come last. */
	smbMs: number | null;
	/** From when the controller served files, and so all else, until the host was online in its domain again. */
	backOnlineMs: number;
	userKept: boolean;
	trustOk: boolean;
	deskOk: boolean;
}

const most = (values: readonly (number | null)[]) => {
	const there = values.filter((value) => value !== null);
	return there.length === 0 ? null : Math.max(...there);
};

/** @param checked what the directory's check said; null when it was not asked */
export function verdictsOf(made: readonly Drill[], checked: string | null): Verdict[] {
	const all = (promise: string, kept: (drill: Drill) => boolean): Verdict => {
		if (made.length === 0) return { promise, broken: undefined };
		const broken = made.flatMap((drill, i) => (kept(drill) ? [] : [i + 1]));
		return { promise, broken: broken.length === 0 ? null : `not in drill ${broken.join(", ")}` };
	};
	/** Not judged where each time a controller had answered before. */
	const within = (promise: string, limitMs: number, value: (drill: Drill) => number | null): Verdict => {
		const worst = most(made.map(value));
		return { promise, broken: worst === null ? undefined : worst <= limitMs ? null : `${worst} ms` };
	};
	return [
		all("the user added right before each panic is there", ({ userKept }) => userKept),
		all("the host is a member still, and trusted", ({ trustOk }) => trustOk),
		all("the desk on the LAN is a member still", ({ deskOk }) => deskOk),
		all("during the outage a wrong password is refused", ({ wrongRefused }) => wrongRefused),
		all("during the outage alice logs in to the host", ({ cachedLogonOk }) => cachedLogonOk),
		within(
			"while no controller answers that takes 200 ms at most",
			200,
			({ cachedLogonMs }) => cachedLogonMs,
		),
		all(
			"alice logs in to the host by SSH before each panic, and during the outage",
			({ sshMs, sshDuringOk }) => sshMs !== null && sshDuringOk,
		),
		within("during the outage that takes her 3 s at most", 3000, ({ cachedSshMs }) => cachedSshMs),
		all("the host is online within 3 s of the controller", ({ backOnlineMs }) => backOnlineMs <= 3000),
		all("nobody who came meanwhile was refused: they waited", ({ refused }) => refused === 0),
		{
			promise: "the directory's own check finds no error",
			broken: checked === null ? undefined : /\(0 errors\)/.test(checked) ? null : checked,
		},
	];
}

/** The story in one: what held in each drill, and the worst of its figures; null for one that no drill has. */
export function domainOf(made: readonly Drill[]) {
	const every = (kept: (drill: Drill) => boolean) => made.length > 0 && made.every(kept);
	return {
		joined: true,
		trustOk: every(({ trustOk }) => trustOk),
		userKept: every(({ userKept }) => userKept),
		cachedLogonOk: every(({ cachedLogonOk }) => cachedLogonOk),
		cachedLogonMs: most(made.map(({ cachedLogonMs }) => cachedLogonMs)),
		sshMs: most(made.map(({ sshMs }) => sshMs)),
		sshDuringOk: every(({ sshDuringOk }) => sshDuringOk),
		cachedSshMs: most(made.map(({ cachedSshMs }) => cachedSshMs)),
		backOnlineMs: most(made.map(({ backOnlineMs }) => backOnlineMs)),
		lanClientOk: every(({ deskOk }) => deskOk),
	};
}
