import { cable } from "./places.ts";

const ports = { web: 8080, ssh: 2222, web2: 8081, ssh2: 2223 };
const gateway = "10.79.0.1";
const address2 = "10.79.0.30";

const head = `name: install
segments:
  office: { subnet: 10.79.0.0/24 }
servers:
`;

const web = (source: string, bootDeadline: string, more = "") => `  web:
    guest: linux
    ${source}
    agent: true # qemu-guest-agent is among the packages
    memory: 1GiB
    cpus: 2
    network: { segment: office, address: 10.79.0.20 } # the installer is told by DHCP
    publish:
      - { service: http, to: host, listen: ${ports.web}, hold: 10m }
      - { service: ssh, to: host, listen: ${ports.ssh} }
    recovery: { bootDeadline: ${bootDeadline} }
${more}`;

/** Packages come by the proxy, and by no other way. */
const proxyOnly = `    outbound:
      - { to: ${cable.proxy}, ports: [${cable.proxyPort}] }
`;

const fromIso = (iso: string) => `install: { iso: ${iso} }\n    system: { size: 4GiB }`;

const web2 = (image: string) => `  web2:
    guest: linux
    image: ${image}
    agent: true
    memory: 512MiB
    system: { disk: disposable }
    data: [{ name: kept, size: 64MiB }]
    network: { segment: office, address: ${address2} }
    publish:
      - { service: http, to: host, listen: ${ports.web2}, hold: 10m, rehearse: [/] }
      - { service: ssh, to: host, listen: ${ports.ssh2} }
    recovery: { mode: warm, bootDeadline: 15m }
`;

/** Site files, one after the other. */
export const sites = {
	...{ ports, gateway, address2 },
	/** An hour until the server answers for the first time: that is when the installation is over. */
	installing: (iso: string) => `${head}${web(fromIso(iso), "1h", proxyOnly)}`,
	installed: (iso: string) => `${head}${web(fromIso(iso), "15m")}`,
	fromDisk: (disk: string) => `${head}${web(`image: ${disk}`, "15m")}`,
	/** The first one is stopped, and has the address of the second one by now. */
	warm: (iso: string | undefined, disk: string | undefined, image: string) =>
		`${head}${web(iso === undefined ? `image: ${disk}` : fromIso(iso), "15m", "    start: manual\n")}${web2(image)}`,
};
