import { z } from "zod";

/**
 * Membership of this host in an Active Directory domain.
 */
const label = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?";

const realmError = "a realm is a domain name of two words or more, as ad.example.com";

export const realmSchema = z
	.string(realmError)
	.max(255, realmError)
	.regex(new RegExp(`^${label}(?:\\.${label})+$`), realmError);

/** [MS-ADTS] and NetBIOS: 15 characters at most; of those that are allowed, the ones that DNS allows too. */
export const computerNameSchema = z
	.string()
	.regex(
		/^(?!\d+$)[A-Za-z0-9](?:[A-Za-z0-9-]{0,13}[A-Za-z0-9])?$/,
		"a computer's name in a domain has 1 to 15 letters, digits and hyphens, and not digits alone",
	);

/** `administrator`, or `administrator@ad.example.com`. */
const userSchema = z
	.string()
	.regex(
		/^[^\s"/\\[\]:;|=,+*?<>%\p{Cc}]{1,104}$/u,
		"a user's name as in Administrator, without the domain's",
	);

const passwordSchema = z
	.string()
	.min(1, "it is empty")
	.max(255)
	.regex(/^\P{Cc}+$/u, "a password has no line breaks or other control characters")
	.regex(/^\S(?:.*\S)?$/u, "one that begins or ends with a space cannot be passed to Samba's programs");

/** As [MS-SAMR] lets them be, and no more than a command line takes. */
export const accountSchema = z
	.string()
	.regex(
		/^[^\s"/\\[\]:;|=,+*?<>@%\p{Cc}-][^"/\\[\]:;|=,+*?<>@%\p{Cc}]{0,63}$/u,
		"a name has 1 to 64 characters, no quotes, slashes or brackets, none of : ; | = , + * ? < > @ %, and does not begin with a hyphen or space",
	);

export const joinBody = z
	.strictObject({
		realm: realmSchema,
		/** Addresses of the domain's controllers, which answer for its names too. */
		controllers: z
			.array(z.union([z.ipv4(), z.ipv6()], "an IPv4 or IPv6 address"))
			.min(1)
			.max(8),
		user: userSchema,
		password: passwordSchema,
		/** What the host is called in the domain. */
		name: computerNameSchema,
		/** Take over an account of that name that is there already. */
		replace: z.boolean().default(false),
		/** The domain's users may log in to the host; changes files below /etc until it leaves. */
		logins: z.boolean().default(false),
		/** Only members of this group may, and of those that are in it; all users of the domain when null. */
		allowGroup: accountSchema
			// The rest of the line would be a comment, and the group another one.
			.regex(/^[^#]*$/, "PAM's files take # for the beginning of a comment; give the group another name")
			.regex(/\S$/u, "it ends with a space; leave that out")
			.nullable()
			.default(null),
		/** Members of this group who are logged in to the host may use the API; nobody of the domain when null. */
		adminGroup: accountSchema.nullable().default(null),
		/** This host asks the controllers for the domain's names; may change /etc/resolv.conf until it leaves. */
		dns: z.boolean().default(false),
	})
	.refine(({ logins, allowGroup }) => logins || allowGroup === null, {
		path: ["allowGroup"],
		message: "it is of use with logins only",
	})
	.refine(({ logins, adminGroup }) => logins || adminGroup === null, {
		path: ["adminGroup"],
		message: "its members have to be able to log in to this host; give --logins too",
	});
export type JoinBody = z.infer<typeof joinBody>;

const workgroupError = "a domain's short name has 1 to 15 letters, digits and hyphens, and not digits alone";

/** [MS-ADTS] 3.1.1.3: 15 characters at most. */
export const workgroupSchema = z
	.string(workgroupError)
	.regex(/^(?!\d+$)[A-Za-z0-9](?:[A-Za-z0-9-]{0,13}[A-Za-z0-9])?$/, workgroupError);

/** @returns what a domain is called for short when nobody says: the first word of its realm */
export const shortNameOf = (realm: string) => (realm.split(".")[0] ?? "").slice(0, 15).toUpperCase();

/** A new domain, on the data disks of servers that have none yet. */
export const createBody = z.strictObject({
	/** Servers that become its controllers as well, beside the first. */
	others: z.array(z.string()).max(7).default([]),
	realm: realmSchema,
	workgroup: workgroupSchema,
	/** The Administrator's. */
	password: passwordSchema,
});
export type CreateBody = z.infer<typeof createBody>;

export const createView = z.object({
	/** Servers that are its controllers, the first one first. */
	controllers: z.array(z.string()),
	/** Those of them that were started; one with `start: manual` is not. */
	started: z.array(z.string()),
	realm: z.string(),
	workgroup: z.string(),
	/** Milliseconds that making it took. */
	tookMs: z.number(),
});

export type DomainCreated = z.infer<typeof createView>;

/** Servers that are controllers of a domain already, which Bulkhead is told of. */
export const useBody = z.strictObject({
	/** Its other controllers of this site. */
	others: z.array(z.string()).max(7).default([]),
	realm: realmSchema,
	/** As its controllers say when null. */
	workgroup: workgroupSchema.nullable().default(null),
});
export type UseBody = z.infer<typeof useBody>;

export const useView = createView.omit({ started: true, tookMs: true });
export type DomainUsed = z.infer<typeof useView>;

export const forgetView = z.object({ server: z.string(), realm: z.string() });

/** `made`: on its servers' disks, by Bulkhead. `found`: it was there, and its controllers are managed with their own tools. */
export const domainOrigins = ["made", "found"] as const;

/** A server, and the domain that it is a controller of. */
interface MaybeController {
	name: string;
	domain: {
		realm: string;
		controllers: readonly string[];
		origin: (typeof domainOrigins)[number];
	} | null;
}

/**
 * What stays of a controller in its domain when its server is deleted.
 * @param staying servers that are not deleted
 * @returns that and what to do about it, for people; null when nobody is left who would take it for one
 */
export function leftInDomain(
	{ name, domain }: MaybeController,
	staying: readonly MaybeController[],
): string | null {
	if (!domain) return null;
	const { realm, controllers } = domain;
	const others = staying.filter(
		(one) => one.name !== name && controllers.includes(one.name) && one.domain?.realm === realm,
	);
	const [first] = others;
	if (!first) return null;
	const names = others.map((one) => one.name).join(" and ");
	const made = [domain, first.domain].every((one) => one?.origin === "made");
	const mend = made
		? `from a machine with Debian's samba and samba-dsdb-modules that finds the domain's names: samba-tool domain demote --remove-other-dead-server=${name} -H ldap://${first.name}.${realm.toLowerCase()} -U Administrator`
		: `delete it on ${first.name} with that one's own tools (Windows: "Active Directory Users and Computers", Domain Controllers; Samba: samba-tool domain demote --remove-other-dead-server=NAME)`;
	return `${name} stays a controller of ${realm} to ${names}, and to the domain's clients. When it is gone for good, ${mend}`;
}

/** What is asked of a domain by its controller's own tools. */
export const administerBody = z.discriminatedUnion("what", [
	/** The directory's own consistency check, which takes long. */
	z.strictObject({ what: z.literal("check") }),
	/** Whether controllers know what the others know. */
	z.strictObject({ what: z.literal("replication") }),
	z.strictObject({ what: z.literal("users") }),
	z.strictObject({ what: z.literal("add-user"), user: accountSchema, password: passwordSchema }),
	z.strictObject({ what: z.literal("set-password"), user: accountSchema, password: passwordSchema }),
	z.strictObject({ what: z.literal("disable-user"), user: accountSchema }),
	z.strictObject({ what: z.literal("enable-user"), user: accountSchema }),
	z.strictObject({ what: z.literal("groups") }),
	z.strictObject({ what: z.literal("members"), group: accountSchema }),
	z.strictObject({ what: z.literal("add-group"), group: accountSchema }),
	z.strictObject({ what: z.literal("add-member"), group: accountSchema, user: accountSchema }),
	z.strictObject({ what: z.literal("remove-member"), group: accountSchema, user: accountSchema }),
]);
export type AdministerBody = z.infer<typeof administerBody>;

export const administerView = z.object({
	/** The controller that was asked. */
	server: z.string(),
	/** The users or groups that were asked for; none for all else. */
	names: z.array(z.string()),
	/** Of a check and of replication, what the tool wrote; null for all else. */
	findings: z
		.object({
			/** Whether nothing was found to be wrong. */
			ok: z.boolean(),
			/** In the tool's own words and order. */
			lines: z.array(z.string()),
		})
		.nullable(),
});
export type Administered = z.infer<typeof administerView>;

export const leaveBody = z.strictObject({
	/** Who may remove the host's account; without, only what is on this host goes. */
	account: z.strictObject({ user: userSchema, password: passwordSchema }).nullable().default(null),
});

/** What of a controller is asked whether it answers, by TCP port. */
export const controllerPorts = { dns: 53, kerberos: 88, ldap: 389, smb: 445 } as const;
export type ControllerService = keyof typeof controllerPorts;

/** Where a host listens for its own programs' questions, which it asks the controllers of its domain. */
export const dnsAddress = "127.0.0.55";
/** What leads them there: the file, or the program that has it in its hands. */
export const dnsWays = ["resolv.conf", "systemd-resolved"] as const;
export type DnsWay = (typeof dnsWays)[number];

export const domainView = z.object({
	realm: z.string(),
	workgroup: z.string(),
	/** What the host is called in it. */
	name: z.string(),
	joinedAt: z.number(),
	/** Whether its users may log in to this host. */
	logins: z.boolean(),
	/** Who of them, as AD\linux-users; all of them when null. */
	allowedGroup: z.string().nullable(),
	/** Who of them may use the API, as AD\linux-admins; nobody when null. */
	adminGroup: z.string().nullable(),
	/** By what this host's programs are led to the controllers for the domain's names; null when they are not. */
	dns: z.enum(dnsWays).nullable(),
	/** Folders of this host that the domain's users reach, by the names of the shares. */
	shares: z.array(z.string()),
	controllers: z.array(
		z.object({
			address: z.string(),
			answers: z.array(z.enum(Object.keys(controllerPorts) as [ControllerService, ...ControllerService[]])),
		}),
	),
	/** offline: no controller answers in full; who logged in here before still can. */
	state: z.enum(["online", "offline"]),
	/** Since when, milliseconds since 1970. */
	since: z.number(),
	/** Whether the domain still believes the host's own password; null when nobody could be asked. */
	trusted: z.boolean().nullable(),
	/** Seconds that a controller's clock is ahead of the host's; of those that answer the one that is furthest from it. */
	clockAheadSeconds: z.number().nullable(),
	passwordChangedAt: z.number().nullable(),
	/** What stands in the way, in words. */
	trouble: z.string().nullable(),
});
export type DomainView = z.infer<typeof domainView>;

export const leaveView = z.object({
	/** Null when what the host was a member of cannot be read any more. */
	realm: z.string().nullable(),
	name: z.string().nullable(),
	/** What of the host is still known to the domain, in words; null when nothing is. */
	left: z.string().nullable(),
	/** Files of the host that somebody else had changed since; only Bulkhead's lines were taken out of them. */
	edited: z.array(z.string()),
	/** Folders of the host that were shared; they and what is in them stay as they are. */
	shared: z.array(z.string()),
});
export type LeaveView = z.infer<typeof leaveView>;
