/** Where Debian keeps programs for administrators; the PATH of plain users, and of root after a plain `su`, lacks them. */
const systemFolders = ["/usr/sbin", "/sbin"];
const usual = "/usr/sbin:/usr/bin:/sbin:/bin";

/** Lets this process, and all that it starts, find the host's programs; what its user has comes first. */
export function completePath(environment: NodeJS.ProcessEnv = process.env): void {
	const given = environment.PATH || usual;
	const known = given.split(":");
	environment.PATH = [given, ...systemFolders.filter((folder) => !known.includes(folder))].join(":");
}
