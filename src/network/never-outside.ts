/**
 * Where no name of the outside may lead (RFC 6890): loopback, link-local, groups and what is reserved, the cables' own
 * network; and IPv4 addresses in IPv6's clothes, which programs connect to as to the address in them.
 */
export const neverOutside = [
	...["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4"],
	...["::/96", "::ffff:0:0/96", "fe80::/10", "ff00::/8", "fd62:756c:6b68::/48"],
];
