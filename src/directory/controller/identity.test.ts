import { expect, test } from "vitest";
import { identityIn } from "./identity.ts";

/** What `net ads lookup` of Samba 4.17 writes. */
const said = `Information for Domain Controller: 10.77.0.10

Response Type: LOGON_SAM_LOGON_RESPONSE_EX
GUID: 0b5b9dd4-36f2-4a3b-8c6c-40e2f1d8f8a7
Flags:
	Is a PDC:                                   yes
	Is a GC of the forest:                      yes
	Is an LDAP server:                          yes
Forest: ad.example.com
Domain: ad.example.com
Domain Controller: dc1.ad.example.com
Pre-Win2k Domain: AD
Pre-Win2k Hostname: DC1
Server Site Name: Default-First-Site-Name
NT Version: 5
LMNT Token: ffff
LM20 Token: ffff
`;

test("a controller's words about itself", () => {
	expect(identityIn(said)).toEqual({
		...{ realm: "AD.EXAMPLE.COM", workgroup: "AD", host: "dc1.ad.example.com" },
		domainId: "0b5b9dd4-36f2-4a3b-8c6c-40e2f1d8f8a7",
	});
});

test.each([
	["nothing", ""],
	["no name of a domain", said.replace("Domain: ad.example.com", "Domain: ")],
	["control characters", said.replace("Domain: AD", "Domain: \u001b[31mAD")],
	["a name that goes on", said.replace("dc1.ad.example.com", `${"d".repeat(300)}.example.com`)],
])("%s is no identity", (_, text) => {
	expect(identityIn(text)).toBeUndefined();
});
