/**
 * A server that is away while another does the same work yields: who comes for it is refused at once, instead of waiting
 * for it to come back, and so goes to the other. Clients of a directory try one controller after the other, and only what
 * refuses is given up at once: by TCP a reset (RFC 9293, 3.10.7.1), else that the port is unreachable (RFC 1122, 3.2.2.1).
 */

export const yieldingSets = ["yielding", "yielding6"];
export const yieldingChains = ["among", "yield"];

/** What the table of the way out has for it; the sets are filled by `setYielding` (yielding.ts), and outlive changes of the rules. */
export const yieldingBody = [
	"set yielding { typeof ip daddr; }",
	"set yielding6 { typeof ip6 daddr; }",
	"chain yield { }",
	"chain among { }",
];

/** Rules by chain: `among` is what servers open to each other, which has been allowed before. */
export const yieldingRules: readonly (readonly [chain: string, rule: string])[] = [
	["yield", "meta l4proto tcp reject with tcp reset"],
	["yield", "reject with icmpx type port-unreachable"],
	["among", "ip daddr @yielding goto yield"],
	["among", "ip6 daddr @yielding6 goto yield"],
	["among", "accept"],
];

/** The words that lead what comes for a server that yields to its refusal. */
export const toYielding = ["ip daddr @yielding goto yield", "ip6 daddr @yielding6 goto yield"];
