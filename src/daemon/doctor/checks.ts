import { access, readFile, stat, statfs } from "node:fs/promises";
import { explain } from "../../api/errors.ts";
import type { Check } from "../../api/plan.ts";
import { formatSize } from "../../api/units.ts";
import { folderTrouble } from "../../directory/member/shares/folder.ts";
import { lackingForShares } from "../../directory/member/shares/needs.ts";
import { readShares } from "../../directory/member/shares/record.ts";
import { smbdProcess } from "../../directory/member/shares/smbd.ts";
import { detectGroupSupport } from "../../host/cgroup.ts";
import { run } from "../../host/command.ts";
import { type Upstreams, upstreamsOfHost } from "../../network/names/upstreams.ts";
import { obstaclesOf } from "../../network/outbound/obstacles.ts";
import { type AcceleratorChoice, chooseAccelerator } from "../../qemu/accelerator.ts";
import { paths } from "../../store/paths.ts";
import { ServerStore } from "../../store/servers.ts";
import { addressesOf } from "../names.ts";

const good = (name: string, found: string): Check => ({ name, level: "ok", found, mend: "" });
const note = (name: string, found: string, mend: string): Check => ({ name, level: "note", found, mend });
const bad = (name: string, found: string, mend: string): Check => ({ name, level: "bad", found, mend });

/** Programs that Bulkhead cannot do without, and Debian's package of each. */
export const programs: Readonly<Record<string, string>> = {
	"qemu-system-x86_64": "qemu-system-x86",
	"qemu-img": "qemu-utils",
	haproxy: "haproxy",
	dnsmasq: "dnsmasq-base",
	bwrap: "bubblewrap",
	nft: "nftables",
	ip: "iproute2",
	conntrack: "conntrack",
	perl: "perl-base",
	setpriv: "util-linux",
	mke2fs: "e2fsprogs",
};
/** Programs that only building templates needs. */
const buildPrograms: Readonly<Record<string, string>> = {
	mmdebstrap: "mmdebstrap",
	cpio: "cpio",
	depmod: "kmod",
	flock: "util-linux",
};

/** Looks at everything that Bulkhead needs of its host, and says what to do where something is missing. */
export async function allChecks(state: string): Promise<Check[]> {
	return [
		checkRoot(),
		...(await Promise.all([
			checkPrograms("programs", programs, "bad"),
			checkPrograms("programs for building templates", buildPrograms, "note"),
			checkAccelerator(),
			checkQemu(),
			checkTun(),
			checkCuts(),
			checkDisk(state),
			checkGroup(),
			checkWaysOut(),
			checkNameServers(state),
			checkShares(state),
		])),
		checkLimits(),
	];
}

function checkRoot(): Check {
	return process.getuid?.() === 0
		? good("user", "root")
		: bad(
				"user",
				`user id ${process.getuid?.()}`,
				"run it as root: it makes network namespaces and control groups",
			);
}

export async function missingPrograms(wanted: Readonly<Record<string, string>>): Promise<string[]> {
	const folders = (process.env.PATH ?? "/usr/sbin:/usr/bin:/sbin:/bin").split(":");
	const found = await Promise.all(
		Object.keys(wanted).map(async (program) => {
			const places = folders.map((folder) =>
				access(`${folder}/${program}`).then(
					() => true,
					() => false,
				),
			);
			return (await Promise.all(places)).includes(true) ? [] : [program];
		}),
	);
	return found.flat();
}

async function checkPrograms(
	name: string,
	wanted: Readonly<Record<string, string>>,
	level: "bad" | "note",
): Promise<Check> {
	const missing = await missingPrograms(wanted);
	if (missing.length === 0)
		return good(name, `${Object.keys(wanted).length} of ${Object.keys(wanted).length} there`);
	const packages = [...new Set(missing.map((program) => wanted[program]))].join(" ");
	return { name, level, found: `missing: ${missing.join(", ")}`, mend: `apt-get install ${packages}` };
}

async function checkAccelerator(): Promise<Check> {
	return accelerationCheck(await chooseAccelerator());
}

export function accelerationCheck({ accelerator, why, isKnown }: AcceleratorChoice): Check {
	const name = "acceleration";
	if (accelerator === "kvm") return good(name, `KVM: ${why}`);
	const slow = "servers run, several times slower than on hardware virtualization";
	if (isKnown) return note(name, `TCG (slow): ${why}`, slow);
	const mend = "mend that, or wait until the host is less busy, and restart a daemon that says the same in";
	return note(name, `not known: ${why}`, `${mend} \`bulkhead events\`; until then ${slow}`);
}

async function checkQemu(): Promise<Check> {
	try {
		const { stdout } = await run("qemu-system-x86_64", ["--version"], { deadlineMs: 10_000 });
		const version = /version (\d+)\.(\d+)/.exec(stdout);
		const found = stdout.split("\n")[0] ?? "";
		const number = Number(version?.[1]) + Number(version?.[2]) / 100;
		return number >= 7.02
			? good("QEMU", found)
			: bad("QEMU", found, "Bulkhead needs QEMU 7.2 or newer (Debian 12 has it)");
	} catch {
		return bad("QEMU", "does not run", "apt-get install qemu-system-x86");
	}
}

const onlyRouted =
	"only for servers with `outbound:`, with addresses of the LAN, or that the LAN reaches by UDP";

/** Only servers with `outbound:` need it, and those that others reach at their own addresses or by UDP. */
async function checkWaysOut(): Promise<Check> {
	const name = "ways out";
	try {
		const obstacles = await obstaclesOf({ six: false, inward: true });
		if (obstacles.length === 0) return good(name, "this host routes what passes between servers and others");
		const mends = obstacles.map(({ mend }) => mend).join("; ");
		return note(name, obstacles.map(({ found }) => found).join("; "), `${onlyRouted}: ${mends}`);
	} catch (error) {
		return note(name, `cannot be told: ${error instanceof Error ? error.message : error}`, onlyRouted);
	}
}

/** Folders that are shared with users of the domain that this host is a member of. */
async function checkShares(state: string): Promise<Check> {
	const name = "file shares";
	try {
		const { domain } = paths(state, "");
		const known = await readShares(domain);
		if (!known) return good(name, "no folder is shared with users of a domain");
		const lacking = await lackingForShares();
		if (lacking.length > 0)
			return note(
				name,
				`missing: ${lacking.join(", ")}`,
				`apt-get install --no-install-recommends ${lacking.join(" ")}`,
			);
		const troubles = (await Promise.all(known.shares.map(folderTrouble))).filter((why) => why !== null);
		if (troubles.length > 0) return note(name, "not all folders are there", troubles.join("; "));
		const names = known.shares.map((share) => share.name).join(", ");
		return (await smbdProcess(domain))
			? good(name, `${names}, at ${known.listen.join(", ")}`)
			: note(name, `${names}: smbd does not run`, "bulkhead domain share list says why");
	} catch (error) {
		return note(name, explain(error), "only for folders that are shared with users of a domain");
	}
}

/** Only servers with `outbound: allow` need it: names in rules are asked for by the daemon, as by any program of the host. */
async function checkNameServers(state: string): Promise<Check> {
	// Only root sees what servers there are; that is told above.
	const known = await new ServerStore(paths(state, "")).list().catch(() => ({ servers: [] }));
	return nameServersCheck(await upstreamsOfHost(addressesOf(known.servers)));
}

export function nameServersCheck({ usable, inside }: Upstreams): Check {
	const name = "name servers";
	const own = inside.length === 0 ? "" : `; not ${inside.join(", ")}, a server of the site itself`;
	if (usable.length > 0)
		return good(name, `${usable.join(", ")}, for servers with \`outbound: allow\`${own}`);
	return note(
		name,
		`this host names none by an IPv4 address beyond itself${own}`,
		"only for servers with `outbound: allow`, which can look up nothing outside: name one in /etc/resolv.conf, or have them ask one by its address",
	);
}

async function checkTun(): Promise<Check> {
	const there = await stat("/dev/net/tun").then(
		(found) => found.isCharacterDevice(),
		() => false,
	);
	return there
		? good("tap devices", "/dev/net/tun")
		: bad("tap devices", "there is no /dev/net/tun", "modprobe tun");
}

/** `ss -K` needs CONFIG_INET_DIAG_DESTROY; without it, it quietly does nothing. */
async function checkCuts(): Promise<Check> {
	const config = await run(
		"sh",
		["-c", 'zcat /proc/config.gz 2>/dev/null || cat "/boot/config-$(uname -r)"'],
		{ deadlineMs: 10_000 },
	).then(
		({ stdout }) => stdout,
		() => "",
	);
	if (config.includes("CONFIG_INET_DIAG_DESTROY=y"))
		return good("cutting connections", "the kernel can destroy sockets");
	if (config === "")
		return note(
			"cutting connections",
			"the kernel does not tell its configuration",
			"requests in flight may wait longer for a failed session",
		);
	return note(
		"cutting connections",
		"the kernel cannot destroy sockets (CONFIG_INET_DIAG_DESTROY)",
		"requests in flight wait until the new session's kernel resets them",
	);
}

async function checkDisk(state: string): Promise<Check> {
	const at = await statfs(state).catch(() => statfs("/"));
	const free = at.bavail * at.bsize;
	return free > 5 * 2 ** 30
		? good("disk", `${formatSize(free)} free`)
		: note(
				"disk",
				`${formatSize(free)} free for ${state}`,
				"make room, or move the state directory with BULKHEAD_STATE",
			);
}

async function checkGroup(): Promise<Check> {
	const there = /^bulkhead:/m.test(await readFile("/etc/group", "utf8"));
	return there
		? good("group", "members of the group bulkhead may use the API")
		: note("group", "only root may use the API", "groupadd --system bulkhead lets its members use it too");
}

function checkLimits(): Check {
	const support = detectGroupSupport();
	const missing = (["memory", "cpu", "pids"] as const).filter((controller) => !support[controller]);
	if (missing.length > 0)
		return note(
			"limits",
			`control groups without ${missing.join(", ")}`,
			"a guest gone wild is not held there: mount cgroup2 with these controllers",
		);
	const versions = [...new Set(Object.values(support).map(({ version }) => `v${version}`))].join(" and ");
	return good("limits", `control groups ${versions}: memory, cpu, pids`);
}
