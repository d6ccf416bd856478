import { z } from "zod";
import { parseAddress, parseSubnet, writtenAs } from "./addresses.ts";
import { isForGuests, parseAddress6, parseSubnet6 } from "./addresses6.ts";
import { buses, cards, firmwares, guestNames, machines } from "./guest.ts";
import { list } from "./list.ts";
import { outboundSchema } from "./outbound.ts";
import { strict } from "./strict.ts";
import { duration, size } from "./units.ts";
import { answersSchema, timeZoneSchema } from "./windows.ts";

const MiB = 2 ** 20;

/** Names of sites, segments, servers and disks: they become names of folders, interfaces and groups. */
function name(what: string, maximum: number) {
	const rule = `lower-case letters, digits and hyphens, beginning with a letter, at most ${maximum} characters`;
	return z
		.string({ error: `must be a ${what} name: ${rule}` })
		.regex(new RegExp(`^[a-z](?:[a-z0-9-]{0,${maximum - 2}}[a-z0-9])?$`), {
			error: (issue) => `${JSON.stringify(String(issue.input).slice(0, 40))} is no ${what} name; use ${rule}`,
		});
}

const wholeNumber = (minimum: number, maximum: number) =>
	z
		.int({ error: `must be a whole number between ${minimum} and ${maximum}` })
		.min(minimum, { error: (issue) => `${issue.input} is too small; the least is ${minimum}` })
		.max(maximum, { error: (issue) => `${issue.input} is too large; the most is ${maximum}` });

const choice = <const T extends readonly [string, ...string[]]>(values: T) =>
	z.enum(values, { error: `must be one of ${values.join(", ")}` });

const address = z
	.string({ error: "must be an IPv4 address such as 10.77.0.10" })
	.refine((text) => parseAddress(text) !== undefined, {
		error: ({ input }) =>
			`"${String(input).slice(0, 40)}" is not an IPv4 address; write it as ${writtenAs(String(input), "10.77.0.10")}`,
	});

const subnet = z.string({ error: "must be an IPv4 network such as 10.77.0.0/24" }).refine(
	(text) => {
		const parsed = parseSubnet(text);
		return parsed !== undefined && parsed.length >= 8 && parsed.length <= 29;
	},
	{
		error: ({ input }) =>
			`"${String(input).slice(0, 40)}" is not an IPv4 network of /8 to /29; write its first address and its length, as in ${writtenAs(String(input), "10.77.0.0/24")}`,
	},
);

const address6 = z
	.string({ error: "must be an IPv6 address such as fd00:77::10" })
	.refine((text) => parseAddress6(text) !== undefined, {
		error: (issue) => `"${String(issue.input).slice(0, 40)}" is not an IPv6 address; write it as fd00:77::10`,
	});

const subnet6 = z.string({ error: "must be an IPv6 network such as fd00:77::/64" }).refine(
	(text) => {
		const parsed = parseSubnet6(text);
		return parsed !== undefined && parsed.length >= 64 && parsed.length <= 120 && isForGuests(parsed);
	},
	{
		error: (issue) =>
			`"${String(issue.input).slice(0, 40)}" is not a unique-local or global IPv6 network of /64 to /120; write its first address and its length, as in fd00:77::/64`,
	},
);

const interfaceError = {
	error: "must be the name of a network interface of this host, such as eth0 (`ip -br link` lists them)",
};

const segmentSchema = strict({
	subnet,
	subnet6: subnet6.optional().meta({ description: "IPv6 for the segment; without it there is none." }),
	allow: choice(["all"]).optional().meta({
		description:
			"`all`: its servers all reach each other. Left out: each opens to the others what its own `allow` names.",
	}),
	lan: z
		.string(interfaceError)
		.regex(/^(?!\.{1,2}$)[A-Za-z0-9_.-]{1,15}$/, interfaceError)
		.optional()
		.meta({
			description:
				"The segment is the network at this interface of the host: its servers have addresses of it, and are reached there by what they publish.",
		}),
	gateway: address.optional().meta({
		description: "With `lan`: the network's router; its first address when left out.",
	}),
});

const port = wholeNumber(1, 65535);

const pageError = { error: "must be the path of a page, such as /login" };

export const publishSchema = strict({
	service: name("service", 32).meta({
		description:
			"A service of the catalogue (`bulkhead services`), one of the template, or a name of your own with `port`.",
	}),
	protocol: choice(["http", "tcp", "udp"]).optional().meta({
		description: "How the front door treats it; what the template says, else the catalogue, else `tcp`.",
	}),
	// Port 1 is where the front door keeps users waiting: nobody answers there.
	port: wholeNumber(2, 65535).optional().meta({
		description: "Port inside the server; what the template says of the service, else the catalogue.",
	}),
	to: choice(["host", "lan"]).meta({
		description: "Who may reach it: this host only, or everybody who can reach this host.",
	}),
	through: choice(["front-door", "address"]).optional().meta({
		description:
			"`front-door`: at a port of this host, where users are held while the server recovers. `address`: at the server's own address, without a proxy, which everybody reaches only on a segment with `lan`; there it is the default, as for services that cannot do without.",
	}),
	listen: port.optional().meta({
		description: "Front door: port on the host; the service's own port when left out.",
	}),
	proxy: choice(["v1", "v2"]).optional().meta({
		description:
			"tcp: the server is told its clients' addresses by the PROXY protocol of this version; it has to expect that.",
	}),
	hold: duration(1000, 600_000)
		.optional()
		.meta({ description: "How long new connections wait while the server recovers (60s)." }),
	health: choice(["connect", "none"]).optional().meta({
		description:
			"`connect`: the service is well when it takes connections; for one that does not answer the check of its protocol. `none`: nobody asks whether it is well; for one that takes each connection for a user.",
	}),
	rehearse: list(
		z.string(pageError).regex(/^\/[\w./~%?&=+:@,;()*!$-]{0,500}$/, pageError),
		"pages such as [/login]",
		20,
	)
		.optional()
		.meta({
			description:
				"Warm: pages that a session is asked before it stands by, without its data disks, so that its first users wait less.",
		}),
});

const macError = {
	error: "must be the hardware address of one network card, in lower case, such as 52:54:00:12:34:56",
};

const networkSchema = strict({
	segment: name("segment", 12),
	address,
	address6: address6.optional().meta({ description: "For a segment with `subnet6`; without it, IPv4 only." }),
	mac: z
		.string(macError)
		.regex(/^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/, macError)
		.optional()
		.meta({ description: "Hardware address of its network card; one of its own when left out." }),
	card: choice(cards)
		.optional()
		.meta({ description: "Model of its network card; the guest's usual when left out." }),
});

const bus = choice(buses).optional();

function hostFile(what: string) {
	const error = { error: `must be the absolute path of ${what}` };
	return z.string(error).regex(/^\/[^\0\n]*$/, error);
}

const installSchema = strict({
	iso: hostFile("an ISO image on this host").meta({
		description:
			"In the CD drive of a server whose system disk is empty at first: an installer, or a system that runs from it. It is only read.",
	}),
	drivers: hostFile("an ISO image on this host, such as virtio-win.iso")
		.optional()
		.meta({ description: "In a second drive: drivers that Windows' installer does not bring along." }),
	answers: answersSchema.optional().meta({
		description: "What Windows' installer is told, so that nobody has to sit before it.",
	}),
});

export const allowSchema = strict({
	from: name("server", 24).meta({ description: "The server that may open connections to this one." }),
	service: name("service", 32).optional().meta({
		description: "What for: a service of the template or the catalogue, or a name of your own with `port`.",
	}),
	port: port.optional().meta({
		description: "Port inside this server; what the template says of the service, else the catalogue.",
	}),
	protocol: choice(["tcp", "udp"]).optional().meta({ description: "`tcp` when left out." }),
});

const recoverySchema = strict({
	mode: choice(["cold", "warm"]).optional().meta({
		description:
			"`cold` (the default) boots again from the same disks. `warm` starts sessions from a seal; the server has to be prepared for it and its system disk disposable.",
	}),
	standby: wholeNumber(0, 2)
		.optional()
		.meta({ description: "Warm: how many next sessions stand by, loaded and paused (1)." }),
	renewEvery: duration(60_000, 365 * 86_400_000)
		.optional()
		.meta({
			description:
				"Warm: a session that has run this long is replaced by a new one, without anybody noticing.",
		}),
	sealAge: duration(60_000, 365 * 86_400_000)
		.optional()
		.meta({ description: "Warm: a seal that is older is made anew (14d)." }),
	evidence: choice(["screen", "registers", "dump"]).optional().meta({
		description:
			"What is kept of a failed session: its screen and logs; its processors' registers too (the default); a dump of its whole memory too, which needs `mode: warm`, so that nobody waits for it.",
	}),
	onCrash: choice(["new-session-now", "let-guest-dump", "dump-then-new-session"]).optional().meta({
		description:
			"When its kernel says that it has crashed: a new session at once (the default); once the guest has written its own dump, as Windows does, or ten minutes later; or once the host has kept a dump of its memory.",
	}),
	budget: strict({ attempts: wholeNumber(0, 100), within: duration(1000, 86_400_000) }).optional(),
	bootDeadline: duration(1000, 3_600_000)
		.optional()
		.meta({ description: "A session that is not ready after this long has failed (5m)." }),
	silence: duration(3000, 3_600_000).optional().meta({
		description:
			"A running session of which nothing is heard for this long hangs (20s); much sooner when its processors prove it.",
	}),
});

const limitsSchema = strict({
	diskBytesPerSecond: size(MiB).optional(),
	diskOperationsPerSecond: wholeNumber(10, 1_000_000).optional(),
});

export const serverName = name("server", 24);

export const serverSchema = strict({
	template: name("template", 40).optional().meta({ description: "A template that Bulkhead brings along." }),
	image: hostFile("a disk image").optional().meta({
		description:
			"A disk image to copy the system disk from, instead of a template. It boots by its own boot loader.",
	}),
	install: installSchema.optional().meta({
		description:
			"An ISO image to install from, instead of a template; needs `system.size`. The disk is booted from as soon as it can be.",
	}),
	guest: choice(guestNames).optional().meta({
		description:
			"What it runs: its virtual hardware is what suits that (`linux`; `other` for images and installations).",
	}),
	agent: z.boolean({ error: "must be true or false" }).optional().meta({
		description:
			"Whether it runs qemu-guest-agent, which is then expected to answer; of templates that is known.",
	}),
	machine: choice(machines).optional().meta({
		description: "Its chip set, when it is not to be the guest's usual: `q35` (2009) or `pc` (1996).",
	}),
	firmware: choice(firmwares).optional().meta({
		description:
			"`bios`, `uefi`, or `uefi-secure` (Secure Boot with Microsoft's keys); the guest's usual when left out.",
	}),
	tpm: z
		.boolean({ error: "must be true or false" })
		.optional()
		.meta({ description: "Whether it has a TPM 2.0; as is usual for the guest when left out." }),
	timeZone: timeZoneSchema.optional().meta({
		description:
			"Of a Windows: the time zone that is set in it, as its clock shows that zone's time; that of `install.answers`, else this host's, when left out.",
	}),
	memory: size(32 * MiB).optional(),
	cpus: wholeNumber(1, 64).optional(),
	system: strict({
		disk: choice(["kept", "disposable"]).optional(),
		size: size(MiB).optional(),
		bus: bus.meta({ description: "What the system disk is attached to; the guest's usual when left out." }),
	}).optional(),
	data: list(
		strict({
			name: name("disk", 16),
			size: size(4 * MiB),
			image: hostFile("a disk image").optional().meta({
				description: "A disk image to copy the disk from; without one it is empty, for Linux an empty ext4.",
			}),
			bus,
		}),
		"data disks such as [{ name: files, size: 20GiB }]; leave it out for none",
		16,
	).optional(),
	network: networkSchema.optional(),
	publish: list(
		publishSchema,
		"services such as [{ service: http, to: host }]; leave it out for none",
		64,
	).optional(),
	allow: list(
		allowSchema,
		"servers and what they may use such as [{ from: web, service: postgresql }]; leave it out for none",
		256,
	)
		.optional()
		.meta({ description: "Other servers of the site that may open connections to this one (none)." }),
	outbound: outboundSchema.optional(),
	after: z
		.array(name("server", 24), { error: "must be a list of servers of this site, such as [dc1]" })
		.max(16, { error: (issue) => `names ${(issue.input as unknown[]).length} servers; the most are 16` })
		.optional()
		.meta({
			description:
				"Other servers of the site that this one needs: it is started after them, and is not blamed for what it lacks while one of them is away.",
		}),
	recovery: recoverySchema.optional(),
	limits: limitsSchema.optional(),
	sleep: strict({
		after: duration(5000, 30 * 86_400_000).meta({ description: "How long nobody has to have used it." }),
	})
		.optional()
		.meta({
			description:
				"Warm: an idle server sleeps, with its next session loaded and paused; whoever comes wakes it.",
		}),
	start: choice(["automatic", "manual"])
		.optional()
		.meta({ description: "`automatic`: started when applied; `manual`: only by `bulkhead start`." }),
});

/** What no host comes near; that everything is compared with everything stays cheap. */
const mostOf = { segments: 256, servers: 1000 } as const;

function notMany<T extends z.ZodType<Record<string, unknown>>>(what: keyof typeof mostOf, record: T) {
	return record.refine((all) => Object.keys(all).length <= mostOf[what], {
		error: ({ input }) =>
			`names ${Object.keys(input as object).length} ${what}; the most are ${mostOf[what]}: make several sites of them`,
	});
}

export const siteSchema = strict({
	name: name("site", 12),
	segments: notMany(
		"segments",
		z.record(name("segment", 12), segmentSchema, {
			error: "must be a list of segments: a name and its subnet",
		}),
	).optional(),
	servers: notMany(
		"servers",
		z.record(serverName, serverSchema, { error: "must be a list of servers: a name and what it is" }),
	).optional(),
});

/** A site as its file says it. */
export type Site = z.infer<typeof siteSchema>;
/** A server as the site file says it: what is left out is the template's or the default. */
export type ServerDefinition = z.infer<typeof serverSchema>;
export type PublishDefinition = z.infer<typeof publishSchema>;
export type AllowDefinition = z.infer<typeof allowSchema>;
